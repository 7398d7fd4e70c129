"""What began after what, and who waited for whom: the order that the times show.

Things are numbered as in `_intervals`; one more number, `Graph.root`, stands for the
whole run. A thing is *in* another: a call or a tool call in its agent, a sub-agent in the
tool call that waits for it (or in its parent), a main agent in the run.

A thing begins after whatever had ended, of what it is in with, when it began; a tool call
that begins while a model call of its agent still streams begins with what it had streamed
by then; a sub-agent in the background begins with its spawn call, and when it ends may
wake its parent, or end a tool call that only waited for it. A thing that others are in
ends when the last of them that it waits for has ended.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleetspan_collector.derive import tree as forest
from fleetspan_collector.processors.critical_path._intervals import Mask
from fleetspan_collector.processors.critical_path._joins import joins_of
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._sweep import Sweep
from fleetspan_collector.processors.critical_path._timeline import timeline_of
from fleetspan_collector.processors.critical_path._waiting import Role
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

_UNWAITED: Final = int(Role.FIRST_WAITED)
"""From this role on, nothing waits until the agent ends."""


@per_run
def graph_of(run: Run) -> Graph:
    """Return the order that a run's times show."""
    times = timeline_of(run)
    agents, first_tool = run.agents.count, run.agents.count + run.llm_calls.count
    start = np.concatenate([times.agent_start, times.call_start, times.tool_start])
    end = np.concatenate([times.agent_end, times.call_end, times.tool_end])
    root = len(start)
    spawn = np.where(times.spawn == NONE, NONE, first_tool + times.spawn)
    within, anchored = _places(run, start, spawn, root)
    waited = np.ones(root, dtype=bool)
    waited[:agents] = times.role < _UNWAITED
    graph = Graph(
        agents=agents,
        first_tool=first_tool,
        root=root,
        start=start.tolist(),
        end=end.tolist(),
        within=within.tolist(),
        waited=waited.tolist(),
        anchored=anchored.tolist(),
        parent=run.tree.parent.tolist(),
        role=times.role.tolist(),
        moments=_moments(start, end, _levels(run), within),
        before=[NONE] * root,
        free_ns=[0] * root,
        ready_ns=[0] * root,
        streaming=[NONE] * root,
        beside=[NONE] * root,
        last=[NONE] * (root + 1),
        last_ns=[0] * (root + 1),
        closing_ns=[0] * root,
        wakes={agent: first_tool + tool for agent, tool in joins_of(run).items()},
        ended={},
        again=_again(times.role, spawn),
        first_own=_first_own(run, times.agent_start, start[agents:]),
        first_ns=int(start.min(initial=np.iinfo(np.int64).max)) if root else 0,
        last_seen_ns=int(end.max(initial=np.iinfo(np.int64).min)) if root else 0,
    )
    Sweep(graph).through()
    return graph


def _places(
    run: Run, start: Indexes, spawn: Indexes, root: int
) -> tuple[Indexes, Indexes]:
    """What each thing is in, and which only begin with it."""
    times, tree = timeline_of(run), run.tree
    agents = run.agents.count
    outer = np.where(spawn != NONE, spawn, tree.parent)
    # An agent that nobody waits for, and that was there before its parent, stands alone.
    early = (outer != NONE) & (start[:agents] < start[outer])
    outer = np.where((outer == NONE) | early, root, outer)
    owner = np.concatenate([tree.call_agent, tree.tool_agent])
    within = np.concatenate([outer, np.where(owner == NONE, root, owner)])
    unwaited = times.role >= _UNWAITED
    anchored = np.zeros(root, dtype=bool)
    anchored[:agents] = unwaited & (spawn != NONE) & ~early
    return within, anchored


def _levels(run: Run) -> Indexes:
    depth = run.tree.depth
    owner = np.concatenate([run.tree.call_agent, run.tree.tool_agent])
    above = np.append(depth, -1)[owner]
    return np.concatenate([2 * depth, 2 * above + 1])


def _moments(
    start: Indexes, end: Indexes, level: Indexes, within: Indexes
) -> list[int]:
    """Starts and ends in order; of one moment: ends, inner first, then starts, outer first.

    What takes no time ends after it began, and before what it is in.
    """
    most = int(level.max(initial=0)) + 2
    instant = end == start
    begins, ends = np.full(len(start), 3), np.where(instant, 4, 2)
    if instant.any():
        last = _at_the_end(start, end, within, instant)
        begins[last], ends[last] = 0, 1
    rank = np.concatenate([begins * 2 * most + level, ends * 2 * most + most - level])
    order = np.lexsort((rank, np.concatenate([start, end])))
    # Starts are 0 to root - 1, ends follow one place later, as the run has a number too.
    moments: list[int] = np.where(order < len(start), order, order + 1).tolist()
    return moments


def _at_the_end(start: Indexes, end: Indexes, within: Indexes, instant: Mask) -> Mask:
    """What takes no time, at the very end of what it is in that does take time."""
    root = len(start)
    around = forest.nearest(np.where(within == root, NONE, within), ~instant)
    last: Mask = instant & (around != NONE) & (start == end[around])
    return last


def _again(role: Indexes, spawn: Indexes) -> dict[int, list[int]]:
    again: dict[int, list[int]] = {}
    for agent in np.flatnonzero(role == _UNWAITED).tolist():
        again.setdefault(int(spawn[agent]), []).append(agent)
    return again


def _first_own(run: Run, agent_start: Indexes, step_start: Indexes) -> list[int]:
    owner = np.concatenate([run.tree.call_agent, run.tree.tool_agent])
    never = np.iinfo(np.int64).max
    first = np.full(run.agents.count, never)
    owned = owner != NONE
    np.minimum.at(first, owner[owned], step_start[owned])
    own: list[int] = np.where(first == never, agent_start, first).tolist()
    return own
