"""One run, looked at by every processor; what one does costs the others nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fleetspan_collector.processors import critical_path
from fleetspan_collector.processors.complexity import complexity_of
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.processor import Processor
from fleetspan_collector.processors.rollup import Rollup, rollup_of
from fleetspan_collector.processors.run import Run, give_up
from fleetspan_collector.processors.savings import saved_together

PROCESSORS_VERSION: Final = 1
"""Raised when a rule changes what is found; stored with every row."""

MOST_FINDINGS: Final = 100
"""Of one processor in one run; what is beyond is counted, not kept."""

CRITICAL_PATH: Final = "critical_path"
COMPLEXITY: Final = "complexity"
ROLLUP: Final = "rollup"
SAVINGS: Final = "savings"
WORKER: Final = "worker"
"""Stands in `Analysis.set_aside` when the process itself did not survive the run."""

OWN_PARTS: Final = (CRITICAL_PATH, COMPLEXITY, ROLLUP, SAVINGS)
"""What is worked out for every run besides findings; timed and set aside likewise."""

T = TypeVar("T")
Watch = Callable[[str], None]
"""Told the name of the processor that begins; the empty name when none is at work."""


@dataclass(slots=True)
class Clock:
    """Seconds and failures by processor.

    Attributes:
        seconds: How long each has worked.
        failures: What each has raised, once per run.
        dropped: Findings beyond `MOST_FINDINGS`.
    """

    seconds: dict[str, float] = field(default_factory=dict)
    failures: list[tuple[str, str]] = field(default_factory=list)
    dropped: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Analysis:
    """What is said of one run.

    Attributes:
        run: The run.
        findings: With the name of the processor, in a fixed order.
        path: Its critical path; None when that could not be worked out, as below.
        complexity: Its complexity.
        rollup: What its agents and their sub-trees did.
        saved: Seconds and US dollars that the findings save together.
        set_aside: Processors that failed or hung on it.
    """

    run: Run
    findings: Sequence[tuple[str, Finding]]
    path: critical_path.CriticalPath | None
    complexity: object | None
    rollup: Rollup | None
    saved: tuple[float, float] | None
    set_aside: Sequence[str]


def analyse(
    run: Run,
    processors: Sequence[Processor],
    clock: Clock,
    *,
    skipped: Collection[str] = (),
    watch: Watch = lambda name: None,
) -> Analysis:
    """Look at one run with every processor.

    Args:
        run: The run; when it still goes on, only live processors look for findings.
        processors: Who looks.
        clock: Where time and failures are noted.
        skipped: Processors that have hung on it before.
        watch: Told who is at work.
    """
    aside = list(skipped)

    def attempt(name: str, work: Callable[[], T]) -> T | None:
        if name in skipped:
            return None
        watch(name)
        began = time.perf_counter()
        try:
            return work()
        except Exception as error:  # noqa: BLE001 - it may be anybody's plugin
            clock.failures.append((name, f"{type(error).__name__}: {error}"[:500]))
            aside.append(name)
            return None
        finally:
            took = time.perf_counter() - began
            clock.seconds[name] = clock.seconds.get(name, 0.0) + took
            watch("")

    if CRITICAL_PATH in skipped:
        for function in _OF_THE_PATH:
            give_up(run, function, "it did not end in time")
    path = attempt(CRITICAL_PATH, lambda: critical_path.path_of(run))
    complexity = attempt(COMPLEXITY, lambda: complexity_of(run))
    rollup = attempt(ROLLUP, lambda: rollup_of(run))
    found: list[tuple[str, Finding]] = []
    for processor in processors:
        if run.facts.open and not processor.live:
            continue
        some = attempt(processor.name, lambda: list(processor.findings(run)))  # noqa: B023
        some = _distinct(some or [])
        clock.dropped += len(some) - len(some[:MOST_FINDINGS])
        found.extend((processor.name, finding) for finding in some[:MOST_FINDINGS])
    saved = attempt(SAVINGS, lambda: saved_together(run, [each for _, each in found]))
    return Analysis(
        run=run,
        findings=found,
        path=path,
        complexity=complexity,
        rollup=rollup,
        saved=saved,
        set_aside=sorted(set(aside)),
    )


def unseen(run: Run) -> Analysis:
    """Say of a run that nobody could look at it."""
    return Analysis(
        run=run,
        findings=(),
        path=None,
        complexity=None,
        rollup=None,
        saved=None,
        set_aside=(WORKER,),
    )


def _distinct(findings: Sequence[Finding]) -> list[Finding]:
    """Worst and dearest first; of two in one place the first."""
    ordered = sorted(
        findings,
        key=lambda each: (
            -each.severity.rank,
            -(each.usd or 0.0),
            -(each.seconds or 0.0),
            each.location,
        ),
    )
    return list({each.location: each for each in reversed(ordered)}.values())[::-1]


_OF_THE_PATH: Final = (
    critical_path.timeline_of,
    critical_path.path_of,
    critical_path.ledgers_of,
)
