"""ccusage, the program that people read transcripts with: https://ccusage.com.

MIT licence. Installed with npm into the user's cache, never into the repository.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import platformdirs

VERSION: Final = "20.0.24"
_INSTALL_S: Final = 300


def program() -> tuple[list[str] | None, str]:
    """Return its command line, and else why there is none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        return None, "ccusage was passed over: node and npm are not installed."
    folder = Path(platformdirs.user_cache_dir("fleetspan-bench")) / f"ccusage-{VERSION}"
    script = folder / "node_modules" / "ccusage" / "src" / "cli.js"
    if not script.exists():
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            [npm, "install", "--prefix", str(folder), f"ccusage@{VERSION}"],
            capture_output=True,
            text=True,
            timeout=_INSTALL_S,
            check=False,
        )
        if done.returncode or not script.exists():
            last = (done.stderr.strip().splitlines() or ["npm said nothing"])[-1]
            return None, f"ccusage was passed over: npm could not install it ({last})."
    # Its own look-up of the program for this machine comes with node: 40 ms.
    report = ["claude", "daily", "--json", "--offline"]
    return [node, str(script), *report], ""


def tokens(document: dict[str, Any]) -> list[int]:
    """Return the sums of its report: input, cache read, cache write, output."""
    totals = document["totals"]
    names = ("inputTokens", "cacheReadTokens", "cacheCreationTokens", "outputTokens")
    return [int(totals[name]) for name in names]
