"""What a processor is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.run import Run


class Processor(Protocol):
    """Looks at a run and says what it found.

    It must not change anything and must give the same answer for the same run: it is
    run again whenever something of the run arrives. What it raises is counted and
    named, and costs only its own findings.

    Attributes:
        name: ``lower_snake_case``; the ``detector`` of its findings.
        live: Whether it also looks at runs that still go on.
    """

    name: str
    live: bool

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        ...


Factory = Callable[[ProcessorSettings], Processor]
"""Makes a processor; what an entry point of the group ``fleetspan.processors`` names."""
