"""More agents than anybody meant to start.

**Rule.** One parent with more than ``detect_runaway_fanout_children`` sub-agents; agents
nested deeper than ``detect_runaway_fanout_depth``; more than
``detect_runaway_fanout_per_minute`` agents started within one minute; or, where none of
these explains it, more than ``detect_runaway_fanout_agents`` agents in one run. It looks
at runs that still go on, so that it can be stopped.

**Threshold.** Field reports (`users.md`, 24): 905 sub-agents in one session for 81 USD,
chains of more than 50 levels, a cap of 200 spawns in one client. Fifty of one parent
is a quarter of that cap; the captures of real sessions in our tests are 5 wide and 2 deep,
so ten and three count as usual.

**Evidence.** The parent and the sub-agents beyond the usual number (the first 200 of them).

**Saving.** What the sub-agents beyond the first ``detect_runaway_fanout_usual`` of one
parent (or below ``detect_runaway_fanout_usual_depth`` levels), with all that they began,
cost, and by how much the run is shorter without them.

**False alarms.** At most 5 % of healthy runs; a deliberate mass of sub-agents is one, and
raises the threshold.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.critical_path import Removed, what_if
from fleetspan_collector.processors.detectors._bounds import SHOWN, largest
from fleetspan_collector.processors.detectors._families import with_descendants
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import NONE, Indexes, Run

_MINUTE_NS = 60_000_000_000
_ADVICE = (
    "Stop the run if it still goes on; cap how many sub-agents an agent may start and "
    "how deep they may nest."
)


class RunawayFanout:
    """Finds runs in which agents start agents without end."""

    name = "runaway_fanout"
    live = True

    def __init__(self, settings: ProcessorSettings) -> None:
        self._children = settings.detect_runaway_fanout_children
        self._depth = settings.detect_runaway_fanout_depth
        self._agents = settings.detect_runaway_fanout_agents
        self._per_minute = settings.detect_runaway_fanout_per_minute
        self._usual = settings.detect_runaway_fanout_usual
        self._usual_depth = settings.detect_runaway_fanout_usual_depth

    def findings(self, run: Run) -> Iterable[Finding]:
        """Look at one run."""
        count = run.agents.count
        if count <= min(self._children, self._depth, self._agents, self._per_minute):
            return
        found = [*self._wide(run), *self._deep(run)]
        yield from found or self._many(run)

    def _wide(self, run: Run) -> Iterable[Finding]:
        parent = run.tree.parent
        children = np.bincount(parent[parent != NONE], minlength=run.agents.count)
        many = np.flatnonzero(children > self._children).tolist()
        for agent in largest(many, key=lambda each: int(children[each])):
            beyond = run.tree.children(agent)[self._usual :]
            yield _finding(
                run,
                location=f"agent:{run.agents.strings('AgentId')[agent]}",
                what=f"Agent {_name(run, agent)} started {children[agent]} sub-agents",
                first=agent,
                beyond=beyond,
                details={"children": int(children[agent])},
            )

    def _deep(self, run: Run) -> Iterable[Finding]:
        depth = run.tree.depth
        deepest = int(depth.max())
        if deepest <= self._depth:
            return
        beyond = np.flatnonzero(depth > self._usual_depth)
        yield _finding(
            run,
            location="depth",
            what=f"Agents are nested {deepest} levels deep",
            first=int(depth.argmax()),
            beyond=beyond,
            details={"depth": deepest},
        )

    def _many(self, run: Run) -> Iterable[Finding]:
        start = np.sort(run.agents.nanoseconds("StartTime"))
        within = np.searchsorted(start, start + _MINUTE_NS) - np.arange(len(start))
        at_once = int(within.max())
        if at_once <= self._per_minute and len(start) <= self._agents:
            return
        parent = run.tree.parent
        children = np.bincount(parent[parent != NONE], minlength=run.agents.count)
        yield _finding(
            run,
            location="agents",
            what=f"The run has {len(start)} agents, {at_once} of them started within "
            "one minute",
            first=int(children.argmax()),
            beyond=np.arange(run.agents.count)[self._usual :],
            details={"agents": len(start), "within_a_minute": at_once},
        )


def _finding(
    run: Run,
    *,
    location: str,
    what: str,
    first: int,
    beyond: Indexes,
    details: dict[str, str | int | float],
) -> Finding:
    everything = with_descendants(run, beyond)
    usd = _cost_usd(run, everything)
    saved = what_if(run, Removed(agents=tuple(everything.tolist())))
    priced = "" if usd is None else f"; those beyond the usual cost {usd:.2f} USD"
    return Finding(
        location=location,
        severity=Severity.CRITICAL if run.facts.open else Severity.HIGH,
        what=f"{what}{priced}.",
        advice=_ADVICE,
        agents=(first, *(row for row in beyond[:SHOWN].tolist() if row != first)),
        seconds=saved.saved_s,
        usd=usd,
        details={**details, "beyond": len(everything)},
    )


def _cost_usd(run: Run, agents: Indexes) -> float | None:
    usd = run.llm_calls.floats("CostUsd")[np.isin(run.tree.call_agent, agents)]
    known = usd[~np.isnan(usd)]
    if len(usd) and not len(known):
        return None
    return float(known.sum())


def _name(run: Run, agent: int) -> str:
    return str(
        run.agents.strings("Name")[agent] or run.agents.strings("AgentId")[agent]
    )
