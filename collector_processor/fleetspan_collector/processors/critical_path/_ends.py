"""What is taken for the end of a thing that nobody saw end, or for a start nobody knows."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np

from fleetspan_collector.processors.critical_path._intervals import Intervals, Mask
from fleetspan_collector.processors.run import NONE, UNKNOWN_NS, Indexes, Run


def fill_times(run: Run, times: Intervals, spawn: Indexes) -> None:
    """Give every thing a start and an end.

    An agent ends with the last that was seen of it, or now when it still runs; a step
    with the next thing that its agent did (a tool call with the next model call, as
    others may run beside it), else with its agent. Where nobody saw an agent end either,
    what it had spawned last, and waited for, shows that it was still there.

    Args:
        run: The run.
        times: Changed in place.
        spawn: For each agent the tool call that spawned it, -1 for none.
    """
    missing = (times.start == UNKNOWN_NS) | (times.end == UNKNOWN_NS)
    if not missing.any():
        return
    _fill_starts(run, times)
    seen = _last_seen(run, times)
    unseen = times.end[: times.agents] == UNKNOWN_NS
    _fill_agents(run, times, seen)
    last = _fill_steps(times, seen)
    _wait_for_spawned(
        run, times, spawn, {row for row in last if unseen[times.owner[row]]}
    )


def _fill_starts(run: Run, times: Intervals) -> None:
    """A thing of unknown start began with what it belongs to, or with its first step."""
    known = times.start[times.start != UNKNOWN_NS]
    first = int(known.min()) if len(known) else run.facts.start_ns
    agents = times.agents
    owned = (times.owner != NONE) & (times.start != UNKNOWN_NS)
    earliest = np.full(agents, np.iinfo(np.int64).max)
    np.minimum.at(earliest, times.owner[owned], times.start[owned])
    has_steps = earliest != np.iinfo(np.int64).max
    start = times.start[:agents]
    start[:] = np.where((start == UNKNOWN_NS) & has_steps, earliest, start)
    parent = run.tree.parent
    for agent in np.flatnonzero(start == UNKNOWN_NS)[
        np.argsort(run.tree.depth[start == UNKNOWN_NS], kind="stable")
    ].tolist():
        above = int(parent[agent])
        start[agent] = first if above == NONE else start[above]
    steps = np.flatnonzero(times.start == UNKNOWN_NS)
    of = times.owner[steps]
    times.start[steps] = np.where(of == NONE, first, start[of] if agents else first)
    # Nobody knows when it was: it takes no time.
    times.end[steps] = times.start[steps]


def _last_seen(run: Run, times: Intervals) -> int:
    """The last thing seen of the run among the times that belong to it; open runs: now."""
    known = times.end[times.end != UNKNOWN_NS]
    last = max(int(times.start.max()), int(known.max(initial=UNKNOWN_NS)))
    stated = run.facts.last_activity_ns
    if last < stated <= last + 86_400 * 10**9:
        last = stated
    return max(last, run.context.now_ns) if run.facts.open else last


def _fill_agents(run: Run, times: Intervals, seen: int) -> None:
    agents = times.agents
    rows = np.flatnonzero(times.end[:agents] == UNKNOWN_NS)
    if not len(rows):
        return
    active = run.agents.nanoseconds("LastActivity")[rows]
    start = times.start[rows]
    # A last activity that is before the start, or out of the run, says nothing.
    end = np.where((active >= start) & (active <= seen), active, start)
    if run.facts.open:
        end = np.where(run.agents.strings("Status")[rows] == "running", seen, end)
    times.end[rows] = end
    reached = _reached(times)
    times.end[rows] = np.maximum(times.end[rows], reached[rows])


def _reached(times: Intervals) -> Indexes:
    """For each agent the last time that one of its steps is known to have reached."""
    reached = np.full(times.agents, UNKNOWN_NS)
    owned = times.owner != NONE
    latest = np.maximum(times.start, times.end)
    np.maximum.at(reached, times.owner[owned], latest[owned])
    return reached


def _fill_steps(times: Intervals, seen: int) -> list[int]:
    """Give steps an end; return those that were the last of their agents."""
    rows = np.flatnonzero(times.end == UNKNOWN_NS)
    if not len(rows):
        return []
    last = []
    of_agent = np.isin(times.owner, np.unique(times.owner[rows]))
    of_agent[: times.agents] = False
    calls = _starts(times, of_agent & (np.arange(len(times.end)) < times.first_tool))
    steps = _starts(times, of_agent)
    for row in rows.tolist():
        owner, start = int(times.owner[row]), int(times.start[row])
        is_tool = row >= times.first_tool
        followers = calls if is_tool and owner in calls else steps
        later = followers.get(owner, [])
        place = bisect_right(later, start)
        if place < len(later):
            end = later[place]
        elif owner == NONE:
            end = seen
        else:
            end = int(times.end[owner])
            last.append(row)
        times.end[row] = max(end, start)
    return last


def _wait_for_spawned(
    run: Run, times: Intervals, spawn: Indexes, open_calls: set[int]
) -> None:
    """Let calls that nobody saw end last as long as what they spawned, inner ones first."""
    if not open_calls:
        return
    for agent in np.argsort(-run.tree.depth, kind="stable").tolist():
        call = times.first_tool + int(spawn[agent])
        if spawn[agent] != NONE and call in open_calls:
            for waiting in (call, int(times.owner[call])):
                times.end[waiting] = max(times.end[waiting], times.end[agent])


def _starts(times: Intervals, chosen: Mask) -> dict[int, list[int]]:
    """By agent, when its chosen steps began, in order."""
    by_agent: dict[int, list[int]] = {}
    rows = np.flatnonzero(chosen)
    rows = rows[np.argsort(times.start[rows], kind="stable")]
    for owner, start in zip(
        times.owner[rows].tolist(), times.start[rows].tolist(), strict=True
    ):
        by_agent.setdefault(owner, []).append(start)
    return by_agent
