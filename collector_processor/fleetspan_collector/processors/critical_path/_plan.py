"""Changes of a run, by thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from fleetspan_collector.processors.critical_path._backoffs import backoffs_by_end
from fleetspan_collector.processors.critical_path._changes import (
    Change,
    Cheaper,
    Lasts,
    Parallel,
    Removed,
    WithoutWait,
)
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._timeline import timeline_of
from fleetspan_collector.processors.critical_path._waits import permission_ns, retry_ns
from fleetspan_collector.processors.run import NONE, Run


@dataclass(slots=True)
class Plan:
    """What is otherwise, by thing.

    Attributes:
        removed: What does not take place.
        lasts: How long a thing takes, nanoseconds.
        together: What begins when another does.
        waits_less: By how much the wait before a thing is shorter, nanoseconds.
        sooner: By how much what is in a tool call begins sooner after it, nanoseconds.
        models: Other models, by row of the call.
    """

    removed: set[int] = field(default_factory=set)
    lasts: dict[int, int] = field(default_factory=dict)
    together: dict[int, int] = field(default_factory=dict)
    waits_less: dict[int, int] = field(default_factory=dict)
    sooner: dict[int, int] = field(default_factory=dict)
    models: dict[int, str] = field(default_factory=dict)

    @property
    def in_time(self) -> bool:
        """Whether anything of it changes when things take place."""
        return bool(
            self.removed
            or self.lasts
            or self.together
            or self.waits_less
            or self.sooner
        )


def plan_of(run: Run, graph: Graph, changes: Iterable[Change]) -> Plan:
    """Return changes by thing."""
    plan = Plan()
    for change in changes:
        match change:
            case Lasts():
                _last(graph, plan, change)
            case Removed():
                _remove(run, graph, plan, change)
            case Parallel() if change.agents:
                _start_together(run, graph, plan, change)
            case Cheaper():
                plan.models.update(dict.fromkeys(change.calls, change.model))
            case WithoutWait():
                _wait_less(run, graph, plan, change)
    return plan


def _last(graph: Graph, plan: Plan, change: Lasts) -> None:
    took = max(round(change.seconds * 1e9), 0)
    if change.agent != NONE:
        plan.lasts[change.agent] = took
    if change.call != NONE:
        plan.lasts[graph.agents + change.call] = took
    if change.tool != NONE:
        plan.lasts[graph.first_tool + change.tool] = took


def _remove(run: Run, graph: Graph, plan: Plan, change: Removed) -> None:
    plan.removed.update(graph.agents + call for call in change.calls)
    plan.removed.update(graph.first_tool + tool for tool in change.tools)
    spawn, tree = timeline_of(run).spawn, run.tree
    gone = np.zeros(graph.agents + 1, dtype=bool)
    gone[list(change.agents)] = True
    tools = np.array(change.tools, dtype=np.int64)
    gone[:-1] |= (spawn != NONE) & np.isin(spawn, tools)
    if not gone.any():
        return
    for agent in np.argsort(tree.depth, kind="stable").tolist():
        gone[agent] |= gone[tree.parent[agent]]
    plan.removed.update(np.flatnonzero(gone).tolist())
    plan.removed.update((graph.agents + np.flatnonzero(gone[tree.call_agent])).tolist())
    below = np.flatnonzero(gone[tree.tool_agent])
    spawned = spawn[spawn != NONE]
    left = spawn[(spawn != NONE) & ~gone[:-1]]
    below = np.union1d(below, np.setdiff1d(spawned, left))
    plan.removed.update((graph.first_tool + below).tolist())


def _start_together(run: Run, graph: Graph, plan: Plan, change: Parallel) -> None:
    """What moves is the call that spawned an agent, unless it spawned all; else the agent."""
    spawn = timeline_of(run).spawn
    calls = {int(spawn[agent]) for agent in change.agents}
    movers = {
        agent
        if len(calls) == 1 or spawn[agent] == NONE
        else graph.first_tool + int(spawn[agent])
        for agent in change.agents
    }
    first, *others = sorted(movers, key=lambda thing: (graph.start[thing], thing))
    for thing in others:
        plan.together[thing] = first


def _wait_less(run: Run, graph: Graph, plan: Plan, change: WithoutWait) -> None:
    waits, retries = backoffs_by_end(run), retry_ns(run)
    for row in change.calls:
        call = graph.agents + row
        began = graph.start[call]
        waited_since = waits.get(graph.within[call], {}).get(began, began)
        if waited_since < began:
            plan.waits_less[call] = began - waited_since
        if row in retries:
            took = graph.end[call] - began
            plan.lasts[call] = max(took - retries[row], 0)
    permissions = permission_ns(run)
    for row in change.tools:
        tool = graph.first_tool + row
        took = graph.end[tool] - graph.start[tool]
        wait = min(permissions.get(row, 0), took)
        if wait and tool in graph.ended:
            plan.sooner[tool] = wait
        elif wait:
            plan.lasts[tool] = took - wait
