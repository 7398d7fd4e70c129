"""When agents waited before they made a failed request again."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._waits import retryable_calls
from fleetspan_collector.processors.run import Run, per_run

Spans = list[tuple[int, int]]


@per_run
def backoffs_of(run: Run) -> dict[int, Spans]:
    """By agent: from the end of a failed request to its next request, in order."""
    failed = retryable_calls(run)
    if not failed:
        return {}
    graph = graph_of(run)
    starts = _starts_by_agent(
        graph, {graph.within[graph.agents + row] for row in failed}
    )
    waits: dict[int, Spans] = {}
    for row in sorted(failed):
        call = graph.agents + row
        agent, end = graph.within[call], graph.end[call]
        later = starts[agent]
        place = bisect_left(later, (max(end, graph.start[call]), -1))
        while place < len(later) and later[place][1] == call:
            place += 1
        if place < len(later):
            waits.setdefault(agent, []).append((end, later[place][0]))
    for spans in waits.values():
        spans.sort()
    return waits


@per_run
def backoffs_by_end(run: Run) -> dict[int, dict[int, int]]:
    """By agent: when the longest back-off began that ended at a moment."""
    by_end: dict[int, dict[int, int]] = {}
    for agent, spans in backoffs_of(run).items():
        # Of those that end together the first begun is written last.
        by_end[agent] = {end: start for start, end in reversed(spans)}
    return by_end


def waited(waits: dict[int, Spans], agent: int, start: int, end: int) -> bool:
    """Whether an agent waited to try again from start to end."""
    spans = waits.get(agent)
    if not spans:
        return False
    place = bisect_right(spans, (start, end + (1 << 62))) - 1
    return place >= 0 and spans[place][1] >= end


def _starts_by_agent(graph: Graph, agents: set[int]) -> dict[int, Spans]:
    """When calls of some agents began, with the call, in order."""
    starts: dict[int, Spans] = {agent: [] for agent in agents}
    for call in range(graph.agents, graph.first_tool):
        if graph.within[call] in starts:
            starts[graph.within[call]].append((graph.start[call], call))
    for spans in starts.values():
        spans.sort()
    return starts
