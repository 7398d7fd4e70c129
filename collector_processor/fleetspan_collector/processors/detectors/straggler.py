"""One sub-agent of a fan-out that took much longer than the rest, and was waited for.

**Rule.** Among sub-agents of one parent that are of one kind and ran side by side (each
shares at least half of its own time with the one that is looked at), at least
``detect_straggler_siblings`` with itself, one took at least ``detect_straggler_factor``
times as long as the middle one of the others, and longer than all of them by
``detect_straggler_seconds`` of the run's wall time.

**Threshold.** Our own: the largest of eight log-normal durations that differ by a factor
of 1.5 (one standard deviation) is 2.5 times the middle one in less than 5 % of fan-outs.
The original's "slow" (an agent with 30 % of the wall time) names every member of a
fan-out of three.

**Evidence.** The straggler first, then the siblings that it is compared with.

**Saving.** `what_if` it had lasted as long as the middle one of the others; then the
slowest of those decides when the run goes on. 0 USD: what made it slow is not known.

**False alarms.** At most 5 % of healthy runs: a fan-out over tasks of very unequal size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import what_if
from fleetspan_collector.processors.detectors._lasting import agent_lasts
from fleetspan_collector.processors.detectors._siblings import (
    Siblings,
    same_kind,
    siblings_of,
)
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Indexes, Run


class Straggler:
    """Finds sub-agents that the rest of a fan-out had to wait for."""

    name = "straggler"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._siblings = settings.detect_straggler_siblings
        self._factor = settings.detect_straggler_factor
        self._seconds = settings.detect_straggler_seconds

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        if run.agents.count <= self._siblings:
            return
        siblings = siblings_of(run)
        for family in siblings.families(self._siblings):
            yield from self._of_family(run, siblings, family)

    def _of_family(
        self, run: Run, siblings: Siblings, family: slice
    ) -> Iterator[Finding]:
        took_s = (siblings.end_ns[family] - siblings.start_ns[family]) / 1e9
        # Whoever is far above the middle; no more than some can be, so this is short.
        slow = np.flatnonzero(took_s >= self._seconds + float(np.median(took_s)))
        for place in slow[np.argsort(-took_s[slow], kind="stable")][:8].tolist():
            others = _beside(run, siblings, family, place)
            if len(others) < self._siblings - 1:
                continue
            rest_s = took_s[others]
            usual_s = float(np.median(rest_s))
            longest_s = float(rest_s.max())
            mine_s = float(took_s[place])
            if mine_s < self._factor * usual_s or mine_s - longest_s < self._seconds:
                continue
            agents = siblings.agents[family]
            yield from self._judged(
                run, int(agents[place]), agents[others], usual_s, mine_s
            )

    def _judged(
        self, run: Run, agent: int, others: Indexes, usual_s: float, mine_s: float
    ) -> Iterator[Finding]:
        saved = what_if(run, *agent_lasts(run, agent, usual_s))
        if saved.saved_s < self._seconds:
            return
        ids, names = run.agents.strings("AgentId"), run.agents.strings("Name")
        yield Finding(
            location=f"agent:{ids[agent]}",
            severity=Severity.HIGH
            if saved.saved_s >= saved.wall_s / 2
            else Severity.MEDIUM,
            what=f"Sub-agent {names[agent] or ids[agent]} took {mine_s:.0f} s, where the "
            f"{len(others)} beside it took {usual_s:.0f} s in the middle; the run "
            f"waited {saved.saved_s:.0f} s for it.",
            advice="See what it did longer than the others (its own time ledger tells), "
            "split its task, or go on without it after a time limit.",
            agents=(agent, *others.tolist()),
            seconds=saved.saved_s,
            usd=0.0,
            details={
                "took_s": round(mine_s, 3),
                "usual_s": round(usual_s, 3),
                "siblings": len(others) + 1,
            },
        )


def _beside(run: Run, siblings: Siblings, family: slice, place: int) -> Indexes:
    """Places of those of its kind that spent half of their time beside one sibling."""
    start, end = siblings.start_ns[family], siblings.end_ns[family]
    shared = np.minimum(end, end[place]) - np.maximum(start, start[place])
    beside = 2 * shared >= end - start
    beside[place] = False
    agents = siblings.agents[family]
    own = int(agents[place])
    return np.array(
        [
            each
            for each in np.flatnonzero(beside).tolist()
            if same_kind(run, own, int(agents[each]))
        ],
        dtype=np.int64,
    )
