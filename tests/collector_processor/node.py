"""Packages of npm that tests in JavaScript need."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest


def install_packages(folder: Path) -> None:
    """Install what a folder's lock file names, once; skip the test where that cannot be."""
    if not shutil.which("node") or not shutil.which("npm"):
        pytest.skip("needs Node.js and npm, which are not on the PATH")
    installed = folder / "node_modules" / ".package-lock.json"
    wanted = folder / "package-lock.json"
    if installed.exists() and installed.stat().st_mtime >= wanted.stat().st_mtime:
        return
    done = subprocess.run(
        ["npm", "ci", "--no-audit", "--no-fund"],
        check=False,
        cwd=folder,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        pytest.skip(f"npm cannot install the packages: {done.stderr[-300:]}")
