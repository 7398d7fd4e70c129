"""Tool calls that only wait for sub-agents in the background, as far as times can tell.

A tool call *joins* a sub-agent of its own agent when the sub-agent was at work before the
call began, ended while the call went on, and the call ended right after that, as by
`late_ns`. Others may end so by chance, so all of this must hold, too:

- the call spawned nobody, and the agent made no model call that began while it went on;
- of that agent's calls of that tool that took a second or more, most ended so: one that
  also takes its time without sub-agents has work of its own;
- both ends were seen.

A call that joins one sub-agent waits for the others of its agent that ended meanwhile,
too, unless another call that joins did so first.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import Final

import numpy as np

from fleetspan_collector.processors.critical_path._timeline import Timeline, timeline_of
from fleetspan_collector.processors.critical_path._waiting import Role, late_ns
from fleetspan_collector.processors.run import NONE, UNKNOWN_NS, Indexes, Run, per_run

_LONG_NS: Final = 10**9
"""What is shorter says nothing about whether a tool works or waits."""

_Ends = list[tuple[int, int]]
"""When tool calls ended, with their rows, in order."""


@per_run
def joins_of(run: Run) -> dict[int, int]:
    """Return for agents in the background the row of the tool call that waited for them."""
    times = timeline_of(run)
    apart = (times.role >= Role.FIRST_WAITED) & (run.tree.parent != NONE)
    if not apart.any() or not run.tool_calls.count:
        return {}
    seen = run.agents.nanoseconds("EndTime") != UNKNOWN_NS
    agents: list[int] = np.flatnonzero(apart & seen).tolist()
    parent = run.tree.parent
    by_parent = _ends_by_agent(run, times, np.unique(parent[agents]))
    waiting: set[int] = set()
    for agent in agents:
        ends = by_parent.get(int(parent[agent]), [])
        tool = _first_to_end(ends, times, agent)
        if tool != NONE and _right_after(times, agent, tool):
            waiting.add(tool)
    waiting = _mostly(run, times, _undisturbed(run, times, waiting))
    if not waiting:
        return {}
    for owner, ends in by_parent.items():
        by_parent[owner] = [each for each in ends if each[1] in waiting]
    joined = {
        agent: _first_to_end(by_parent.get(int(parent[agent]), []), times, agent)
        for agent in agents
    }
    return {agent: tool for agent, tool in joined.items() if tool != NONE}


def _ends_by_agent(run: Run, times: Timeline, agents: Indexes) -> dict[int, _Ends]:
    """By agent the ends of tool calls that spawned nobody, and were seen to end."""
    tree = run.tree
    fit = (tree.spawned == NONE) & np.isin(tree.tool_agent, agents)
    fit &= ~np.isnan(run.tool_calls.floats("DurationMs"))
    rows = np.flatnonzero(fit)
    rows = rows[np.argsort(times.tool_end[rows], kind="stable")]
    ends: dict[int, _Ends] = {}
    for owner, end, row in zip(
        tree.tool_agent[rows].tolist(),
        times.tool_end[rows].tolist(),
        rows.tolist(),
        strict=True,
    ):
        ends.setdefault(owner, []).append((end, row))
    return ends


def _first_to_end(ends: _Ends, times: Timeline, agent: int) -> int:
    """The first tool call to end after an agent, if it began while that was at work."""
    end = int(times.agent_end[agent])
    place = bisect_left(ends, (end, NONE))
    if place == len(ends):
        return NONE
    tool = ends[place][1]
    fits = times.agent_start[agent] <= times.tool_start[tool] < end
    return tool if fits else NONE


def _right_after(times: Timeline, agent: int, tool: int) -> bool:
    start, end = int(times.tool_start[tool]), int(times.tool_end[tool])
    return end - int(times.agent_end[agent]) <= late_ns(start, end)


def _undisturbed(run: Run, times: Timeline, tools: set[int]) -> set[int]:
    """Those during which their agent began no model call."""
    if not tools:
        return tools
    owner = run.tree.tool_agent
    calls: dict[int, list[int]] = {int(owner[tool]): [] for tool in tools}
    for agent, start in zip(
        run.tree.call_agent.tolist(), times.call_start.tolist(), strict=True
    ):
        if agent in calls:
            calls[agent].append(start)
    for starts in calls.values():
        starts.sort()
    kept = set()
    for tool in tools:
        starts = calls[int(owner[tool])]
        place = bisect_left(starts, int(times.tool_start[tool]) + 1)
        if place == len(starts) or starts[place] >= times.tool_end[tool]:
            kept.add(tool)
    return kept


def _mostly(run: Run, times: Timeline, tools: set[int]) -> set[int]:
    """Those of a tool whose long calls, by that agent, are mostly among them."""
    if not tools:
        return tools
    names, owner = run.tool_calls.strings("Tool"), run.tree.tool_agent
    long = np.flatnonzero(times.tool_end - times.tool_start >= _LONG_NS).tolist()
    every = Counter((int(owner[tool]), names[tool]) for tool in long)
    of_them = Counter((int(owner[tool]), names[tool]) for tool in long if tool in tools)
    return {
        tool
        for tool in tools
        for key in [(int(owner[tool]), names[tool])]
        if 2 * of_them[key] > every[key]
    }
