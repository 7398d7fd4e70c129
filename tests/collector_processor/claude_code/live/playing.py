"""Finds a real client of Claude Code, and plays scenarios with it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from tests.collector_processor.claude_code.joining import Facts, found, truth_of
from tests.collector_processor.claude_code.live.harness import loopback

CLIENT_VARIABLE: Final = "FLEETSPAN_CLAUDE_CLI"
"""The client's executable, or a virtual environment with ``claude-agent-sdk``."""

_REPOSITORY: Final = Path(__file__).parents[4]
_PATIENCE_S: Final = 240


@cache
def missing() -> str:
    """Return why the client cannot be run here; empty when it can."""
    if not os.environ.get(CLIENT_VARIABLE):
        return f"{CLIENT_VARIABLE} names no client of Claude Code (`make live` does)"
    if client() is None:
        return f"{CLIENT_VARIABLE}: no client in {os.environ[CLIENT_VARIABLE]}"
    return loopback.refusal()


def client() -> Path | None:
    """Return the client's executable."""
    place = Path(os.environ[CLIENT_VARIABLE]).expanduser().absolute()
    if place.is_dir():
        bundled = "lib/python*/site-packages/claude_agent_sdk/_bundled/claude"
        return next(place.glob(bundled), None)
    return place if os.access(place, os.X_OK) else None


@cache
def version() -> str:
    """Return what the client says of its version."""
    done = subprocess.run(
        [str(client()), "--version"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"},
    )
    return done.stdout.strip()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a scenario.

    Attributes:
        document: What the driver inside wrote down.
        root: Folder with everything the run left: home, data directory, truth.
    """

    document: Mapping[str, Any]
    root: Path

    def rows(self, table: str, condition: str, /) -> list[dict[str, Any]]:
        """Return the canonical rows of a table."""
        rows: list[dict[str, Any]] = self.document["tables"][table]
        return rows

    @property
    def found(self) -> Facts:
        """What the canonical rows say."""
        return found(self, "")

    @property
    def truth(self) -> Facts:
        """What really happened in this very run."""
        return truth_of(self.document["expected"])

    def differences(self) -> dict[tuple[str, str, str], tuple[Any, Any]]:
        """Return each fact that is not as it was, found and true; costs aside."""
        told, true = self.found, self.truth
        return {
            key: (told.get(key), true.get(key))
            for key in sorted(told.keys() | true.keys())
            if key[2] != "cost" and told.get(key) != true.get(key)
        }


def play(scenario: str, root: Path) -> Outcome:
    """Play a scenario in a network namespace of its own.

    Args:
        scenario: One of the driver's.
        root: Folder that is not there yet; it stays, so that a run can be replayed.

    Raises:
        AssertionError: When the driver fails.
    """
    driver = "tests.collector_processor.claude_code.live.harness.inside"
    done = subprocess.run(
        [
            *loopback.unshare(),
            *(sys.executable, "-m", driver, scenario, str(root), str(client())),
        ],
        cwd=_REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
        timeout=_PATIENCE_S,
    )
    assert done.returncode == 0, f"{done.stderr}\nwhat it left is in {root}"
    return Outcome(json.loads((root / "outcome.json").read_bytes()), root)
