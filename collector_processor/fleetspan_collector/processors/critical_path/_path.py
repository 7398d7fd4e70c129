"""The critical path: every second of a run's wall time, exactly once."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path._category import Category
from fleetspan_collector.processors.critical_path._going import Going
from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._waiting import Role
from fleetspan_collector.processors.critical_path._walk import Walk
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

CATEGORIES: Final = tuple(Category)
_PLACE: Final = {category: place for place, category in enumerate(CATEGORIES)}

Piece = tuple[int, int, Category, int, int]


@dataclass(frozen=True, kw_only=True)
class CriticalPath:
    """What the wall time of a run went to: segments in order, without gap or overlap.

    Attributes:
        start_ns: When each segment begins, Unix nanoseconds.
        end_ns: When it ends: when the next begins.
        category: The `Category` of each.
        agent: Row of the agent whose time it is, -1 for nobody's.
        call: Row of the call that it is part of, -1 for none.
        tool: Row of the tool call that it is part of, -1 for none.
    """

    start_ns: Indexes
    end_ns: Indexes
    category: NDArray[np.object_]
    agent: Indexes
    call: Indexes
    tool: Indexes

    @cached_property
    def wall_s(self) -> float:
        """From the first start to the last end, seconds."""
        return float(np.sum(self.end_ns - self.start_ns)) / 1e9

    @cached_property
    def seconds(self) -> dict[Category, float]:
        """Seconds by category; together they are the wall time."""
        places = [_PLACE[category] for category in self.category.tolist()]
        summed = np.zeros(len(CATEGORIES), dtype=np.int64)
        np.add.at(summed, np.array(places, dtype=np.int64), self.end_ns - self.start_ns)
        return {
            category: float(summed[place]) / 1e9
            for place, category in enumerate(CATEGORIES)
        }


@per_run
def path_of(run: Run) -> CriticalPath:
    """Return what the wall time of a run went to."""
    graph = graph_of(run)
    pieces: list[Piece] = []
    gaps: list[Piece] = []

    def emit(start: int, end: int, category: Category, agent: int, thing: int) -> None:
        kept = gaps if category is Category.GAP else pieces
        kept.append((start, end, category, agent, thing))

    Walk(run, emit, inside=True).explain(graph.root, graph.first_ns, graph.last_seen_ns)
    pieces.extend(_filled(run, graph, gaps))
    pieces.sort()
    return _path(graph, _joined(pieces))


def _filled(run: Run, graph: Graph, gaps: list[Piece]) -> list[Piece]:
    """Explain what nobody else explains by agents in the background."""
    behind = _background(run, graph) if gaps else []
    if not behind:
        return gaps
    pieces: list[Piece] = []

    def emit(start: int, end: int, category: Category, agent: int, thing: int) -> None:
        pieces.append((start, end, category, agent, thing))

    going, walk = Going([span[:3] for span in behind]), Walk(run, emit, inside=True)
    for start, end, category, agent, thing in gaps:
        here = end
        while here > start:
            place = going.until(here)
            if place == NONE:
                ended, other = going.last_ended(here)
                floor = start if other == NONE else max(ended, start)
                emit(floor, here, category, agent, thing)
            else:
                floor = max(behind[place][0], start)
                walk.explain(behind[place][3], floor, here)
            here = floor
    return pieces


def _background(run: Run, graph: Graph) -> list[tuple[int, int, int, int]]:
    """When agents in the background were at work: start, end, own place, agent."""
    spans: list[tuple[int, int, int]] = []
    for agent in range(graph.agents):
        if graph.role[agent] == Role.BACKGROUND and not _pauses(run, agent):
            spans.append((graph.start[agent], graph.end[agent], agent))
        elif graph.role[agent] in (Role.BACKGROUND, Role.FIRST_WAITED):
            spans.extend(_at_work(graph, agent))
    return [
        (start, end, place, agent)
        for place, (start, end, agent) in enumerate(
            span for span in spans if span[0] < span[1]
        )
    ]


def _pauses(run: Run, agent: int) -> bool:
    """Whether an agent was set to work more than once: it is idle in between."""
    return bool(run.agents.floats("Activations")[agent] > 1)


def _at_work(graph: Graph, agent: int) -> list[tuple[int, int, int]]:
    """When an agent that was set to work several times did something."""
    steps = sorted((graph.start[step], at) for at, step in graph.ended.get(agent, ()))
    spans: list[tuple[int, int, int]] = []
    for start, end in steps:
        if spans and start <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]), agent)
        else:
            spans.append((start, end, agent))
    return spans


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Join neighbours that are one."""
    joined: list[Piece] = []
    for piece in pieces:
        if joined and joined[-1][1] == piece[0] and joined[-1][2:] == piece[2:]:
            joined[-1] = (joined[-1][0], piece[1], *piece[2:])
        else:
            joined.append(piece)
    return joined


def _path(graph: Graph, pieces: list[Piece]) -> CriticalPath:
    columns = list(zip(*pieces, strict=True)) or [()] * 5
    thing = np.array(columns[4], dtype=np.int64)
    is_call = (thing >= graph.agents) & (thing < graph.first_tool)
    category = np.empty(len(pieces), dtype=object)
    category[:] = columns[2]
    return CriticalPath(
        start_ns=np.array(columns[0], dtype=np.int64),
        end_ns=np.array(columns[1], dtype=np.int64),
        category=category,
        agent=np.array(columns[3], dtype=np.int64),
        call=np.where(is_call, thing - graph.agents, NONE),
        tool=np.where(thing >= graph.first_tool, thing - graph.first_tool, NONE),
    )
