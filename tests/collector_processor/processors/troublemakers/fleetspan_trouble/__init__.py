"""Processors that behave badly; each on the runs whose name asks for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Run


class _Trouble:
    name = ""
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        del settings

    def findings(self, run: Run) -> Iterable[Finding]:
        """Behave badly when the run asks for it."""
        if self.name in run.facts.name:
            return self._misbehave(run)
        return []

    def _misbehave(self, run: Run) -> Iterable[Finding]:
        raise NotImplementedError


class Raises(_Trouble):
    """Raises."""

    name = "raises"

    def _misbehave(self, run: Run) -> Iterable[Finding]:
        raise ValueError(f"cannot look at {run.facts.run_id}")


class Hangs(_Trouble):
    """Never comes back."""

    name = "hangs"

    def _misbehave(self, run: Run) -> Iterable[Finding]:
        while True:
            time.sleep(1)


class Crashes(_Trouble):
    """Takes the process with it."""

    name = "crashes"

    def _misbehave(self, run: Run) -> Iterable[Finding]:
        os._exit(7)


class Prints(_Trouble):
    """Writes to standard output."""

    name = "prints"

    def _misbehave(self, run: Run) -> Iterable[Finding]:
        os.write(1, b"\0" * 100_000)
        return []


class Floods(_Trouble):
    """Says far too much."""

    name = "floods"

    def _misbehave(self, run: Run) -> Iterable[Finding]:
        return [
            Finding(
                location=f"place {number:05}",
                severity=Severity.INFO,
                what="w" * 10_000,
                advice="a",
            )
            for number in range(1000)
        ]


class Unmade(_Trouble):
    """Cannot be made."""

    name = "unmade"

    def __init__(self, settings: ProcessorSettings) -> None:
        raise RuntimeError("needs something that is not there")
