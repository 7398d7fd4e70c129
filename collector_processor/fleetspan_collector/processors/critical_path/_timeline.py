"""Who was at work when, repaired where the telemetry cannot be right."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from fleetspan_collector.processors.critical_path._ends import fill_times
from fleetspan_collector.processors.critical_path._intervals import (
    Intervals,
    Mask,
    read_intervals,
)
from fleetspan_collector.processors.critical_path._outside import set_aside
from fleetspan_collector.processors.critical_path._skew import clip_late, shift_skewed
from fleetspan_collector.processors.critical_path._waiting import roles
from fleetspan_collector.processors.run import (
    NONE,
    UNKNOWN_NS,
    Indexes,
    Run,
    Tree,
    per_run,
)

_SKEW_NS = 50_000_000
"""Shifts by less than this are two stamps of one moment, not worth telling."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Something that cannot have been as it was told.

    Attributes:
        kind: ``outside_time`` (a time that cannot belong to the run; the thing takes no
            time, or ends as if nobody saw it end), ``missing_end``,
            ``end_before_start`` or ``clock_skew``.
        agents: Rows of ``run.agents``.
        calls: Rows of ``run.llm_calls``.
        tools: Rows of ``run.tool_calls``.
    """

    kind: str
    agents: tuple[int, ...] = ()
    calls: tuple[int, ...] = ()
    tools: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When agents, calls and tool calls of a run began and ended.

    All times are Unix nanoseconds, and no end is before its start.

    Attributes:
        agent_start: By row of ``run.agents``.
        agent_end: The same; with all that the agent itself did.
        call_start: By row of ``run.llm_calls``.
        call_end: The same.
        tool_start: By row of ``run.tool_calls``.
        tool_end: The same.
        role: For each agent how it stands to what started it, a `Role`.
        spawn: For each agent the tool call of its parent that spawned it, -1 for none.
        repairs: What was not as it was told.
    """

    agent_start: Indexes
    agent_end: Indexes
    call_start: Indexes
    call_end: Indexes
    tool_start: Indexes
    tool_end: Indexes
    role: Indexes
    spawn: Indexes
    repairs: tuple[Repair, ...]


@per_run
def timeline_of(run: Run) -> Timeline:
    """Return when everything of a run began and ended."""
    times = read_intervals(run)
    if not len(times.start):
        return _timeline(times, times.start, times.start, ())
    tree, spawn = run.tree, _spawn(run.tree)
    found: list[tuple[str, Mask]] = []
    outside = set_aside(times, run.context.now_ns)
    found.append(("outside_time", outside))
    found.append(("missing_end", (times.end == UNKNOWN_NS) & ~outside))
    fill_times(run, times, spawn)
    backwards = times.end < times.start
    found.append(("end_before_start", backwards))
    times.end = np.maximum(times.end, times.start)
    _extend_agents(times)
    skew = shift_skewed(times, tree, spawn) > _SKEW_NS
    role = roles(times, tree, run.agents.floats("Activations"), spawn)
    clip_late(times, tree, spawn, role)
    none = np.zeros(len(times.start) - times.agents, dtype=bool)
    found.append(("clock_skew", np.concatenate([skew, none])))
    repairs = tuple(_repair(times, kind, mask) for kind, mask in found if mask.any())
    return _timeline(times, role, spawn, repairs)


def _timeline(
    times: Intervals, role: Indexes, spawn: Indexes, repairs: tuple[Repair, ...]
) -> Timeline:
    calls, tools = times.agents, times.first_tool
    return Timeline(
        agent_start=times.start[:calls],
        agent_end=times.end[:calls],
        call_start=times.start[calls:tools],
        call_end=times.end[calls:tools],
        tool_start=times.start[tools:],
        tool_end=times.end[tools:],
        role=role,
        spawn=spawn,
        repairs=repairs,
    )


def _spawn(tree: Tree) -> Indexes:
    """The spawn call of each agent, where it is one of the agent's own parent.

    A call of anybody else cannot be waited for: it may even be below the agent.
    """
    if not len(tree.tool_agent):
        return np.full(len(tree.parent), NONE)
    known = (tree.spawn != NONE) & (tree.parent != NONE)
    known &= tree.tool_agent[tree.spawn] == tree.parent
    return np.where(known, tree.spawn, NONE)


def _extend_agents(times: Intervals) -> None:
    """An agent is there for as long as it does something."""
    owned = times.owner != NONE
    of = times.owner[owned]
    np.minimum.at(times.start, of, times.start[owned])
    np.maximum.at(times.end, of, times.end[owned])


def _repair(times: Intervals, kind: str, mask: Mask) -> Repair:
    rows = np.flatnonzero(mask)
    calls, tools = times.agents, times.first_tool
    return Repair(
        kind=kind,
        agents=tuple(rows[rows < calls].tolist()),
        calls=tuple((rows[(rows >= calls) & (rows < tools)] - calls).tolist()),
        tools=tuple((rows[rows >= tools] - tools).tolist()),
    )
