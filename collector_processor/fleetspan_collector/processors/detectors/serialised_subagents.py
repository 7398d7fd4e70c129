"""Sub-agents of one parent that ran one after another although nothing tied them.

**Rule.** At least ``detect_serialised_subagents_count`` sub-agents of one parent, each
begun after the one before had ended, with nothing that ties a later one to an earlier
one. Two that follow each other are *untied* when either

- the parent's model was not asked between them: it wrote both tasks before it had seen
  the first result (one message, fired one by one). That counts only where the parent has
  model calls at all, else nothing can be told of what it thought;
- or it was asked between them, but only to start the next one: both are of one kind (same
  type, names that share a word), and the parent ran no other tool between them.

In both cases files decide against it: a later one that reads or changes what an earlier
one wrote needs it. Phases of different kinds (search, then write) are taken to feed each
other. Siblings that overlap end the row of a series.

**Threshold.** Three, as in the original system ("sequential": three agents and more with
an overlap below 0.3), whose measure of overlap was wrong with gaps and is not used. 20 s
is what a person waits without asking.

**Evidence.** The sub-agents, and the tool calls that began them.

**Saving.** `what_if` they had started together. 0 USD: they cost the same side by side.

**False alarms.** At most 5 % of healthy runs: a second and third agent of one kind whose
task came out of the first one's answer, which no telemetry tells.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import Parallel, timeline_of, what_if
from fleetspan_collector.processors.detectors._bounds import largest
from fleetspan_collector.processors.detectors._siblings import (
    Siblings,
    same_kind,
    siblings_of,
)
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

_OVERLAP_NS = 1_000_000_000
"""Clocks of two processes may differ by this much, and still one follows the other."""
_WRITES = frozenset(("create", "modify", "delete", "rename"))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Files:
    """Paths that an agent touched, and which of them it wrote."""

    touched: set[str]
    written: set[str]


_NO_FILES = _Files(touched=set(), written=set())


@dataclass(frozen=True, slots=True, kw_only=True)
class _Between:
    """What the parent did, by time, to tell what came between two sub-agents.

    Attributes:
        calls: Starts of its model calls, Unix ns, in order.
        tools: Starts of its tool calls that started no agent.
    """

    calls: Indexes
    tools: Indexes

    def thought(self, after_ns: int, before_ns: int) -> bool:
        """Whether its model was asked between two moments."""
        return _any_within(self.calls, after_ns, before_ns)

    def worked(self, after_ns: int, before_ns: int) -> bool:
        """Whether it ran tools of its own between two moments."""
        return _any_within(self.tools, after_ns, before_ns)


class SerialisedSubagents:
    """Finds sub-agents that could have run side by side."""

    name = "serialised_subagents"
    live = False

    def __init__(self, settings: ProcessorSettings) -> None:
        self._count = settings.detect_serialised_subagents_count
        self._seconds = settings.detect_serialised_subagents_seconds

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        if run.agents.count <= self._count:
            return
        siblings, timeline = siblings_of(run), timeline_of(run)
        took_ns = timeline.agent_end - timeline.agent_start
        found = [
            agents
            for family in siblings.families(self._count)
            for series in _series(siblings, family, self._count)
            for agents in self._untied(run, siblings, series)
            if len(agents) >= self._count
        ]
        for agents in largest(found, key=lambda each: int(took_ns[each].sum())):
            yield from self._judged(run, agents)

    def _untied(
        self, run: Run, siblings: Siblings, series: range
    ) -> Iterator[list[int]]:
        """Cut a series where one sub-agent is tied to those before it."""
        parent = int(siblings.parent[series.start])
        between, files = _between(run, parent), _files_of(run)
        ids, rows = run.agents.strings("AgentId"), siblings.agents
        together: list[int] = []
        written: set[str] = set()
        for place in series:
            agent = int(rows[place])
            own = files.get(ids[agent], _NO_FILES)
            if together:
                after_ns = int(siblings.end_ns[place - 1])
                begun_ns = _begun_ns(run, agent, int(siblings.start_ns[place]))
                if not written.isdisjoint(own.touched) or _tied(
                    run, between, together[-1], agent, after_ns, begun_ns
                ):
                    yield together
                    together, written = [], set()
            together.append(agent)
            written |= own.written
        yield together

    def _judged(self, run: Run, agents: list[int]) -> Iterator[Finding]:
        saved = what_if(run, Parallel(agents=tuple(agents)))
        if saved.saved_s < self._seconds:
            return
        names = run.agents.strings("Name")
        parent = int(run.tree.parent[agents[0]])
        ids = run.agents.strings("AgentId")
        spawns = tuple(int(each) for each in run.tree.spawn[agents] if each != NONE)
        yield Finding(
            location=f"agent:{ids[agents[0]]}",
            severity=_severity(saved.saved_s, saved.wall_s),
            what=f"{len(agents)} sub-agents of {names[parent] or ids[parent]} "
            f"({names[agents[0]]} to {names[agents[-1]]}) ran one after another, and "
            "nothing shows that one needed another's result; side by side the run "
            f"would be {saved.saved_s:.0f} s shorter.",
            advice="Let the parent start them in one message, or in the background, "
            "and collect their results together.",
            agents=tuple(agents),
            tools=spawns,
            seconds=saved.saved_s,
            usd=0.0,
            details={"subagents": len(agents), "parent": str(ids[parent])},
        )


def _severity(saved_s: float, left_s: float) -> Severity:
    return Severity.HIGH if saved_s >= left_s else Severity.MEDIUM


def _series(siblings: Siblings, family: slice, at_least: int) -> Iterator[range]:
    """Places of sub-agents of one parent that follow each other without overlap."""
    starts = siblings.start_ns[family]
    # Whoever of those before ended last: one long sibling overlaps all that follow.
    ends = np.maximum.accumulate(siblings.end_ns[family])
    follows = starts[1:] >= ends[:-1] - _OVERLAP_NS
    breaks = np.flatnonzero(~follows) + 1
    bounds = [0, *breaks.tolist(), len(starts)]
    for first, end in itertools.pairwise(bounds):
        if end - first >= at_least:
            yield range(family.start + first, family.start + end)


def _between(run: Run, parent: int) -> _Between:
    timeline, tree = timeline_of(run), run.tree
    own_work = (tree.tool_agent == parent) & (tree.spawned == NONE)
    return _Between(
        calls=np.sort(timeline.call_start[tree.call_agent == parent]),
        tools=np.sort(timeline.tool_start[own_work]),
    )


def _any_within(moments: Indexes, after_ns: int, before_ns: int) -> bool:
    first = int(np.searchsorted(moments, after_ns - _OVERLAP_NS))
    return first < len(moments) and int(moments[first]) <= before_ns


def _begun_ns(run: Run, agent: int, start_ns: int) -> int:
    spawn = int(run.tree.spawn[agent])
    if spawn == NONE:
        return start_ns
    return min(start_ns, int(timeline_of(run).tool_start[spawn]))


def _tied(
    run: Run, between: _Between, before: int, agent: int, after_ns: int, begun_ns: int
) -> bool:
    # Spawn calls of one message may all have started before the first one's end.
    if len(between.calls) and not between.thought(after_ns, begun_ns):
        return False
    return between.worked(after_ns, begun_ns) or not same_kind(run, before, agent)


@per_run
def _files_of(run: Run) -> dict[str, _Files]:
    """By agent id the files that agents touched and wrote."""
    found: dict[str, _Files] = {}
    rows = zip(
        run.files.strings("AgentId"),
        run.files.strings("Path"),
        run.files.strings("Operation"),
        strict=True,
    )
    for agent, path, operation in rows:
        of_agent = found.setdefault(agent, _Files(touched=set(), written=set()))
        of_agent.touched.add(path)
        if operation in _WRITES:
            of_agent.written.add(path)
    return found
