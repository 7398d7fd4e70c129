"""Programs that are built with Go from their modules, and kept in a cache folder."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from tests.collector_processor.running import environment

KUSTOMIZE: Final = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
HELM: Final = "helm.sh/helm/v4/cmd/helm@v4.3.1"
BUILDER: Final = "go.opentelemetry.io/collector/cmd/builder@v0.165.0"
_BUILD_S: Final = 1800


def cache() -> Path:
    """The folder that programs are kept in."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "fleetspan" / "go"


def installed(package: str) -> Path:
    """Return a program, built when it is not kept yet.

    Args:
        package: Its package and version, as ``go install`` takes them.
    """
    if shutil.which("go") is None:
        pytest.skip("needs Go")
    folder = cache() / package.replace("/", "_")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        # Tests run in several processes, and each would build it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = [path for path in folder.iterdir() if path.name != ".lock"]
        if not kept:
            built = subprocess.run(
                # Built by a third sooner without what makes it fast and debuggable.
                [
                    *("nice", "go", "install", "-gcflags=all=-N -l", "-ldflags=-s -w"),
                    package,
                ],
                env=environment(GOBIN=str(folder), GOFLAGS="-mod=mod"),
                capture_output=True,
                text=True,
                check=False,
                timeout=_BUILD_S,
            )
            if built.returncode:
                pytest.skip(f"Go cannot build {package}: {built.stderr[-300:]}")
            kept = [path for path in folder.iterdir() if path.name != ".lock"]
    (program,) = kept
    return program
