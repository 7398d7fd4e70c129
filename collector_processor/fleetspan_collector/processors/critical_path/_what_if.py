"""When a run would have ended, and what it would have cost, had things been otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from fleetspan_collector.processors.critical_path._changes import Change
from fleetspan_collector.processors.critical_path._costs import costs_after
from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._plan import Plan, plan_of
from fleetspan_collector.processors.run import NONE, Run


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A run with changes.

    Attributes:
        wall_s: From the first start to the last end, seconds.
        usd: What it would have cost; None when that is not known.
        saved_s: Seconds less than it took; negative when it would take longer.
        saved_usd: US dollars less than it cost; None when that is not known.
    """

    wall_s: float
    usd: float | None
    saved_s: float
    saved_usd: float | None


def what_if(run: Run, *changes: Change) -> WhatIf:
    """Return a run with changes: what depends on what stays, with the waits between.

    Args:
        run: The run.
        changes: What is otherwise; where two speak of one thing, the later counts.
    """
    graph = graph_of(run)
    plan = plan_of(run, graph, changes)
    wall_ns = rescheduled_ns(graph, plan) if plan.in_time else graph.wall_ns
    usd, saved_usd = costs_after(run, plan)
    return WhatIf(
        wall_s=wall_ns / 1e9,
        usd=usd,
        saved_s=(graph.wall_ns - wall_ns) / 1e9,
        saved_usd=saved_usd,
    )


def rescheduled_ns(graph: Graph, plan: Plan) -> int:
    """Return the wall time of a plan in nanoseconds."""
    root, end = graph.root, graph.end
    begun, free = [graph.first_ns] * (root + 1), [graph.first_ns] * (root + 1)
    latest = graph.first_ns
    for moment in graph.moments:
        if moment < root:
            thing, place = moment, graph.within[moment]
            if thing in plan.removed:
                begun[thing] = free[thing] = free[place]
                continue
            begun[thing] = at = _begins(graph, plan, thing, begun, free)
            free[thing] = at - plan.sooner.get(thing, 0)
            continue
        thing = moment - root - 1
        if thing in plan.removed:
            continue
        for agent in graph.again.get(thing, ()):
            free[thing] = max(free[thing], free[agent])
        if thing in plan.lasts:
            ends = begun[thing] + plan.lasts[thing]
        else:
            ends = max(free[thing] + end[thing] - graph.closing_ns[thing], begun[thing])
        place = graph.within[thing]
        if graph.waited[thing]:
            free[place] = max(free[place], ends)
        elif thing in graph.wakes:
            woken = graph.wakes[thing]
            free[woken] = max(free[woken], ends)
        # What is in another thing ends with it, however long that is said to last.
        if place == root or not graph.waited[thing]:
            latest = max(latest, ends)
    return latest - graph.first_ns


def _begins(
    graph: Graph, plan: Plan, thing: int, begun: list[int], free: list[int]
) -> int:
    start, place = graph.start, graph.within[thing]
    if thing in plan.together:
        return begun[plan.together[thing]]
    if graph.anchored[thing]:
        return begun[place] + start[thing] - start[place]
    call = graph.streaming[thing]
    if call != NONE:
        took = graph.end[call] - start[call]
        takes = 0 if call in plan.removed else plan.lasts.get(call, took)
        streamed = (start[thing] - start[call]) * takes // took if took else 0
        return max(begun[call] + streamed, free[place])
    wait = start[thing] - graph.ready_ns[thing]
    return free[place] + max(wait - plan.waits_less.get(thing, 0), 0)
