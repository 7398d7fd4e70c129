"""Where the own time of each agent went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path._category import Category
from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._path import CATEGORIES, path_of
from fleetspan_collector.processors.critical_path._slack import slack_of
from fleetspan_collector.processors.critical_path._timeline import timeline_of
from fleetspan_collector.processors.critical_path._walk import Walk
from fleetspan_collector.processors.run import NONE, Run, per_run

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentLedgers:
    """Where the own time of each agent went; arrays by row of ``run.agents``.

    Attributes:
        seconds: By category; together they are ``wall_s``.
        wall_s: From its start to its end, seconds.
        path_s: Seconds of the run's critical path that are its own.
        slack_s: By how many seconds it may end later without the run ending later.
    """

    seconds: dict[Category, Floats]
    wall_s: Floats
    path_s: Floats
    slack_s: Floats


@per_run
def ledgers_of(run: Run) -> AgentLedgers:
    """Return where the own time of each agent went."""
    graph, path = graph_of(run), path_of(run)
    rows = [[0] * graph.agents for _ in CATEGORIES]
    columns = dict(zip(CATEGORIES, rows, strict=True))
    here = NONE

    def emit(start: int, end: int, category: Category, agent: int, thing: int) -> None:
        columns[category][here] += end - start

    walk = Walk(run, emit, inside=False)
    for here in range(graph.agents):
        walk.explain(here, graph.start[here], graph.end[here])
    times = timeline_of(run)
    on_path = np.zeros(graph.agents + 1, dtype=np.int64)
    np.add.at(on_path, path.agent, path.end_ns - path.start_ns)
    return AgentLedgers(
        seconds=dict(zip(CATEGORIES, np.array(rows) / 1e9, strict=True)),
        wall_s=(times.agent_end - times.agent_start) / 1e9,
        # The last place has what is nobody's.
        path_s=on_path[:-1] / 1e9,
        slack_s=slack_of(run).agents_s,
    )


@per_run
def busy_seconds(run: Run) -> float:
    """Seconds of work of all agents together, whatever ran side by side.

    Work is the time in models and tools of each agent's own ledger, and all the time of
    an agent that did nothing that was seen.
    """
    graph, ledgers = graph_of(run), ledgers_of(run)
    busy = ledgers.seconds[Category.MODEL] + ledgers.seconds[Category.TOOL]
    unseen = np.array([agent not in graph.ended for agent in range(graph.agents)], bool)
    alone = sum(
        graph.end[thing] - graph.start[thing]
        for thing in range(graph.agents, graph.root)
        if graph.within[thing] == graph.root
    )
    return float(np.where(unseen, ledgers.wall_s, busy).sum()) + alone / 1e9
