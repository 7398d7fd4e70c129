"""Who waited for which sub-agent, as far as times can tell.

A sub-agent that ends within the tool call that spawned it was waited for; one that goes
on after that call is in the background. Without a spawn call, its parent waited for it
when it ended within the parent and the parent made no model call of its own meanwhile.

Feeds stamp the two ends in either order, so a sub-agent may end a little after the call;
and longer after it, if all that it is known to have done was done by then: what a client
does when a sub-agent stops takes time, too.
"""

from __future__ import annotations

from bisect import bisect_left
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path._intervals import Intervals
from fleetspan_collector.processors.run import NONE, Indexes, Tree


class Role(IntEnum):
    """How an agent stands to the one that started it."""

    ROOT = 0
    """Nobody started it."""
    CALL_WAITS = 1
    """The tool call that spawned it waits until it ends."""
    PARENT_WAITS = 2
    """Its parent waits for it, without a tool call that tells."""
    FIRST_WAITED = 3
    """Its spawn call waited for its first activation; it was set to work again later."""
    BACKGROUND = 4
    """Nobody waits for it."""


_LATE_NS: Final = 10**9
_LATE_SHARE: Final = 0.05
"""A sub-agent may end this much after the call that waits for it, and by no more than
this share of the call's time."""

_DONE_LATE_NS: Final = 5 * 10**9
_DONE_LATE_SHARE: Final = 0.5
"""The same for one that had done all that is known of it by the end of the call."""


WAITED: Final = (int(Role.CALL_WAITS), int(Role.PARENT_WAITS))
"""The roles of agents that something waits for until they end."""


def roles(
    times: Intervals, tree: Tree, activations: NDArray[np.float64], spawned_by: Indexes
) -> Indexes:
    """Return the `Role` of each agent.

    Args:
        times: When things began and ended.
        tree: Who is whose.
        activations: How often each agent was set to work.
        spawned_by: For each agent the tool call that spawned it, -1 for none.
    """
    start, end = times.start.tolist(), times.end.tolist()
    parent, spawn = tree.parent.tolist(), spawned_by.tolist()
    again = (activations > 1).tolist()
    calls = _CallsOfAgents(times)
    steps = _EndsOfAgents(times)
    answer = np.full(times.agents, Role.ROOT, dtype=np.int64)
    for agent in np.flatnonzero(tree.parent != NONE).tolist():
        if spawn[agent] != NONE:
            tool = times.first_tool + spawn[agent]
            if _within(start, end, agent, tool, steps):
                answer[agent] = Role.CALL_WAITS
            elif again[agent] and steps.any(agent, start[tool], end[tool]):
                answer[agent] = Role.FIRST_WAITED
            else:
                answer[agent] = Role.BACKGROUND
            continue
        waited = (
            not again[agent]
            and _within(start, end, agent, parent[agent], steps)
            and not calls.any_between(parent[agent], start[agent], end[agent])
        )
        answer[agent] = Role.PARENT_WAITS if waited else Role.BACKGROUND
    return answer


def late_ns(start: int, end: int) -> int:
    """By how much two stamps of one moment may differ, for what took from start to end."""
    return min(_LATE_NS, int((end - start) * _LATE_SHARE))


def _within(
    start: list[int], end: list[int], inner: int, outer: int, steps: _EndsOfAgents
) -> bool:
    if not start[outer] <= start[inner] <= end[outer]:
        return False
    late = end[inner] - end[outer]
    if late <= late_ns(start[outer], end[outer]):
        return True
    took = end[outer] - start[outer]
    bearable = late <= min(_DONE_LATE_NS, int(took * _DONE_LATE_SHARE))
    return bearable and steps.done_by(inner, end[outer])


class _CallsOfAgents:
    """Model calls by agent, in the order of their start; made when first asked for."""

    def __init__(self, times: Intervals) -> None:
        self._times = times
        self._made: dict[int, list[tuple[int, int]]] | None = None

    def any_between(self, agent: int, start: int, end: int) -> bool:
        """Whether the agent made a call wholly between two moments."""
        calls = self._calls().get(agent, [])
        place = bisect_left(calls, (start + 1, 0))
        return place < len(calls) and calls[place][1] < end

    def _calls(self) -> dict[int, list[tuple[int, int]]]:
        if self._made is None:
            rows = slice(self._times.agents, self._times.first_tool)
            self._made = {}
            for owner, start, end in zip(
                self._times.owner[rows].tolist(),
                self._times.start[rows].tolist(),
                self._times.end[rows].tolist(),
                strict=True,
            ):
                self._made.setdefault(owner, []).append((start, end))
            for calls in self._made.values():
                calls.sort()
        return self._made


class _EndsOfAgents:
    """When the steps of agents ended; made when first asked for."""

    def __init__(self, times: Intervals) -> None:
        self._times = times
        self._made: dict[int, list[int]] | None = None

    def any(self, agent: int, after: int, until: int) -> bool:
        """Whether a step of the agent ended after one moment, and not after another."""
        ends = self._ends().get(agent, [])
        place = bisect_left(ends, after + 1)
        return place < len(ends) and ends[place] <= until

    def done_by(self, agent: int, moment: int) -> bool:
        """Whether the agent did something, and all of it was done by a moment."""
        ends = self._ends().get(agent, [])
        return bool(ends) and ends[-1] <= moment

    def _ends(self) -> dict[int, list[int]]:
        if self._made is None:
            self._made = {}
            rows = slice(self._times.agents, None)
            for owner, end in zip(
                self._times.owner[rows].tolist(),
                self._times.end[rows].tolist(),
                strict=True,
            ):
                self._made.setdefault(owner, []).append(end)
            for ends in self._made.values():
                ends.sort()
        return self._made
