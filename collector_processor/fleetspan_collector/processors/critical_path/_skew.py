"""Clocks that disagree: a sub-agent that began before the call that spawned it.

It is shifted, with all that is below it, so that it lies in the middle of that call, as
Jaeger's clock skew adjuster does; one that is too long to fit begins with the call. A
sub-agent that ends late is no skew: it may be in the background.
"""

from __future__ import annotations

import numpy as np

from fleetspan_collector.processors.critical_path._intervals import Intervals
from fleetspan_collector.processors.critical_path._waiting import WAITED, late_ns
from fleetspan_collector.processors.run import NONE, Indexes, Tree


def shift_skewed(times: Intervals, tree: Tree, spawn: Indexes) -> Indexes:
    """Shift sub-agents that began before what started them.

    Args:
        times: Changed in place.
        tree: Who is whose.
        spawn: For each agent the tool call that spawned it, -1 for none.

    Returns:
        By how many nanoseconds each agent was shifted against what started it.
    """
    own = np.zeros(times.agents, dtype=np.int64)
    outer = outer_things(times, tree, spawn)
    has = outer != NONE
    if not (times.start[: times.agents][has] < times.start[outer[has]]).any():
        return own
    start, end = times.start.tolist(), times.end.tolist()
    shift = [0] * times.agents
    for agent in np.argsort(tree.depth, kind="stable").tolist():
        around = int(outer[agent])
        if around == NONE:
            continue
        above = shift[int(tree.parent[agent])]
        room = end[around] - start[around]
        length = end[agent] - start[agent]
        behind = start[around] + above - (start[agent] + above)
        if behind > 0:
            # Two ends of one moment, stamped in either order, are no skew of clocks.
            near = behind <= late_ns(start[around], end[around])
            own[agent] = behind + (0 if near else max(room - length, 0) // 2)
        shift[agent] = above + int(own[agent])
    moved = np.array(shift, dtype=np.int64)
    moved = np.append(moved, 0)
    by_thing = np.concatenate([moved[:-1], moved[times.owner[times.agents :]]])
    times.start += by_thing
    times.end += by_thing
    return own


def outer_things(times: Intervals, tree: Tree, spawn: Indexes) -> Indexes:
    """Return for each agent the thing that it is inside of: spawn call, else parent."""
    return np.where(spawn != NONE, times.first_tool + spawn, tree.parent)


def clip_late(times: Intervals, tree: Tree, spawn: Indexes, role: Indexes) -> None:
    """End sub-agents that are waited for no later than what waits for them.

    Args:
        times: Changed in place.
        tree: Who is whose.
        spawn: For each agent the tool call that spawned it.
        role: For each agent its `Role`.
    """
    outer = outer_things(times, tree, spawn)
    waited = (role == WAITED[0]) | (role == WAITED[1])
    late = times.end[: times.agents][waited] > times.end[outer[waited]]
    if not late.any():
        return
    never = np.iinfo(np.int64).max
    limit = np.full(times.agents + 1, never)
    for agent in np.argsort(tree.depth, kind="stable").tolist():
        if waited[agent]:
            limit[agent] = min(
                int(limit[tree.parent[agent]]), int(times.end[outer[agent]])
            )
    by_thing = np.concatenate([limit[:-1], limit[times.owner[times.agents :]]])
    times.end = np.minimum(times.end, by_thing)
    times.start = np.minimum(times.start, times.end)
