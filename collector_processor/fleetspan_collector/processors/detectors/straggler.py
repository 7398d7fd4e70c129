"""One sub-agent of a fan-out that took much longer than the rest, and was waited for.

**Rule.** Among sub-agents of one parent that are of one kind and ran side by side (each
shares at least half of its own time with the one that is looked at), at least
``detect_straggler_siblings`` with itself, one took at least ``detect_straggler_factor``
times as long as the middle one of the others and twice as long as the slowest of them, and
made the run ``detect_straggler_seconds`` longer. What other detectors name does not count:
it is no straggler when waits (back-off, permission) and attempts in vain (failed calls and
tool calls, and the same tool call with the same result again) of it and those below it make
up half of what it took longer, when it has many more agents below it, or when the work of
those below it only stands one after another.

**Threshold.** Our own: where durations are log-normal and differ by a factor of 1.5 (one
standard deviation), one passes both factors in 4 % of fan-outs of three (of two others the
slower one stands for the middle), 5 % of five, 3 % of eight and 2 % of sixteen.
The original's "slow" (an agent with 30 % of the wall time) names every member of a
fan-out of three.

**Evidence.** The straggler first, then the siblings that it is compared with.

**Saving.** `what_if` it had lasted as long as the middle one of the others; then the
slowest of those decides when the run goes on. 0 USD: what made it slow is not known.

**False alarms.** At most 5 % of healthy runs: a fan-out over tasks of very unequal size.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import Lasts, what_if
from fleetspan_collector.processors.detectors._agent_time import (
    lost_seconds,
    own_seconds,
)
from fleetspan_collector.processors.detectors._bounds import SHOWN, largest
from fleetspan_collector.processors.detectors._families import with_descendants
from fleetspan_collector.processors.detectors._history import middle_of
from fleetspan_collector.processors.detectors._siblings import (
    Siblings,
    same_kind,
    siblings_of,
)
from fleetspan_collector.processors.detectors._steps import Seconds
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import UNKNOWN_NS, Indexes, Run

_COMPARED = 16
_NEXT = 2.0
_SLOWEST = 8
_MORE_WORK = 1.5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Suspect:
    """A sub-agent that took much longer than those beside it.

    Attributes:
        agent: Its row.
        others: Rows of those beside it.
        took_s: Seconds that it took.
        usual_s: Seconds that the middle one of the others took.
    """

    agent: int
    others: Indexes
    took_s: float
    usual_s: float


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
        suspects = [
            suspect
            for family in siblings.families(self._siblings)
            for suspect in self._of_family(run, siblings, family)
        ]
        for suspect in largest(suspects, key=lambda each: each.took_s):
            if not _explained(run, suspect):
                yield from self._judged(run, suspect)

    def _of_family(
        self, run: Run, siblings: Siblings, family: slice
    ) -> Iterator[_Suspect]:
        took_s = (siblings.end_ns[family] - siblings.start_ns[family]) / 1e9
        # Whoever is far above the middle; no more than some can be, so this is short.
        slow = np.flatnonzero(took_s >= self._seconds + middle_of(took_s))
        agents = siblings.agents[family]
        ended = run.agents.nanoseconds("EndTime")
        for place in slow[np.argsort(-took_s[slow], kind="stable")][:_SLOWEST].tolist():
            others = _beside(run, siblings, family, place)
            agent = int(agents[place])
            # Whoever still goes on, or was left, is stuck rather than slow.
            if len(others) < self._siblings - 1 or ended[agent] == UNKNOWN_NS:
                continue
            rest_s = took_s[others]
            suspect = _Suspect(
                agent=agent,
                others=agents[others],
                took_s=float(took_s[place]),
                usual_s=middle_of(rest_s),
            )
            longest_s = float(rest_s.max())
            # Of two the middle is between them: then the slower one is what counts.
            usual_s = suspect.usual_s if len(others) > 2 else longest_s
            if suspect.took_s >= max(
                self._factor * usual_s,
                _NEXT * longest_s,
                longest_s + self._seconds,
            ):
                yield suspect

    def _judged(self, run: Run, suspect: _Suspect) -> Iterator[Finding]:
        agent, others = suspect.agent, suspect.others
        mine_s, usual_s = suspect.took_s, suspect.usual_s
        saved = what_if(run, Lasts(usual_s, agent=agent))
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
            agents=(agent, *others[:SHOWN].tolist()),
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


def _explained(run: Run, suspect: _Suspect) -> bool:
    """Whether something with a name of its own made an agent take longer."""
    families = [
        with_descendants(run, np.array([each]))
        for each in (suspect.agent, *suspect.others[:_COMPARED].tolist())
    ]
    lost_s = _by_family(lost_seconds(run), families)
    if lost_s[0] - middle_of(lost_s[1:]) >= (suspect.took_s - suspect.usual_s) / 2:
        return True
    if len(families[0]) == 1:
        return False
    sizes = np.array([len(each) for each in families])
    if sizes[0] > 3 * middle_of(sizes[1:]):
        return True
    # As much work as in the families beside it, which took less time: its order differs.
    work_s = _by_family(own_seconds(run), families)
    return bool(work_s[0] < _MORE_WORK * middle_of(work_s[1:]))


def _by_family(seconds: Seconds, families: list[Indexes]) -> Seconds:
    return np.array([seconds[each].sum() for each in families])
