"""By how much things may end later without the run ending later."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._limits import Limits, limits_of
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.run import NONE, Run, per_run

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Slack:
    """By how many seconds things may end later; 0 for those that the run waits for.

    Attributes:
        agents_s: By row of ``run.agents``.
        calls_s: By row of ``run.llm_calls``.
        tools_s: By row of ``run.tool_calls``.
    """

    agents_s: Floats
    calls_s: Floats
    tools_s: Floats


@per_run
def slack_of(run: Run) -> Slack:
    """Return by how much each thing may end later, all else as it was."""
    graph = graph_of(run)
    seconds = np.array(_latest(graph, limits_of(run)), dtype=np.float64) / 1e9
    return Slack(
        agents_s=seconds[: graph.agents],
        calls_s=seconds[graph.agents : graph.first_tool],
        tools_s=seconds[graph.first_tool :],
    )


def _latest(graph: Graph, limits: Limits) -> list[int]:
    """Go back through the moments: how late may each be that all after it stays in time.

    ``room[place]`` is the latest time by which something in a place has to have ended,
    for everything that began or ended there since: its own slack, after its own wait.
    Under a limit, any job that had ended is taken for the one whose place the next took.
    """
    root, start, end, within = graph.root, graph.start, graph.end, graph.within
    room = [graph.last_seen_ns] * (root + 1)
    early = [graph.wall_ns] * root
    slack = [graph.wall_ns] * root
    for moment in reversed(graph.moments):
        if moment > root:
            thing = moment - root - 1
            late = graph.last_seen_ns - end[thing]
            waited = graph.waited[thing]
            feeds = within[thing] if waited else graph.wakes.get(thing, NONE)
            if feeds != NONE:
                late = min(late, room[feeds] - end[thing])
            slack[thing] = late
            room[thing] = min(room[thing], late + graph.closing_ns[thing])
            for agent in graph.again.get(thing, ()):
                room[agent] = min(room[agent], room[thing])
            continue
        thing, place = moment, within[moment]
        early[thing] = min(early[thing], room[thing] - start[thing])
        if graph.anchored[thing]:
            early[place] = min(early[place], early[thing])
            continue
        ready = graph.ready_ns[thing]
        if thing in limits.free_ns:
            ready = min(ready, limits.free_ns[thing])
            prior, then = limits.prior[thing], limits.free_ns[thing] + early[thing]
            early[prior] = min(early[prior], then - start[prior])
        room[place] = min(room[place], early[thing] + ready)
        call = graph.streaming[thing]
        if call != NONE:
            early[call] = min(early[call], early[thing])
            slack[call] = min(slack[call], early[thing])
    return [max(late, 0) for late in slack]
