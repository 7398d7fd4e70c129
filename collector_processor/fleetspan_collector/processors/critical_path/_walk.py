"""Explains a stretch of time: walks back through what was waited for.

From the end of the stretch: what had ended last; the time since then is untracked, unless
something else was still going on; then what that thing waited for when it began; and so
on to the beginning. Each thing is explained in its turn by what is in it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fleetspan_collector.processors.critical_path._backoffs import backoffs_of, waited
from fleetspan_collector.processors.critical_path._category import Category
from fleetspan_collector.processors.critical_path._going import Going
from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._waiting import Role
from fleetspan_collector.processors.critical_path._waits import permission_ns, retry_ns
from fleetspan_collector.processors.run import NONE, Run

_AT_WORK: Final = frozenset({Role.CALL_WAITS, Role.PARENT_WAITS, Role.BACKGROUND})
"""Agents that are taken to be at work while nothing is known of what they do."""

_CALLED: Final = frozenset({Role.CALL_WAITS, Role.FIRST_WAITED})

Emit = Callable[[int, int, Category, int, int], None]
"""Takes start, end, category, agent and thing; -1 for no agent, no thing."""


class Walk:
    """Walks back through the things of a run.

    Args:
        run: The run.
        emit: Called with every piece of time, each longer than nothing, in no order.
        inside: Whether sub-agents are explained by what they did; else their time is
            `Category.SUBAGENT`.
    """

    def __init__(self, run: Run, emit: Emit, *, inside: bool) -> None:
        self._graph: Graph = graph_of(run)
        self._emit = emit
        self._inside = inside
        self._permission = permission_ns(run)
        self._retries = retry_ns(run)
        self._backoffs = backoffs_of(run)
        self._todo: list[tuple[int, int, int]] = []
        self._going: dict[int, Going] = {}
        self._at_work: dict[int, int] = {}
        # Stretches that begin or end amid a thing may fall into the same deep nesting
        # again and again: after so many they are no longer looked into.
        self._cuts_left = 4 * self._graph.root + 10_000

    def explain(self, thing: int, start: int, end: int) -> None:
        """Emit what a stretch of the time of a thing went to."""
        graph, todo, inside = self._graph, self._todo, self._inside
        self._step(thing, start, end)
        while todo:
            thing, start, end = todo.pop()
            if start >= end:
                continue
            if graph.agents <= thing < graph.first_tool:
                self._call(thing, start, end)
            elif inside:
                self._step(thing, start, end)
            else:
                self._from_outside(thing, start, end)

    def _step(self, thing: int, start: int, end: int) -> None:
        graph = self._graph
        if self._permission and thing >= graph.first_tool:
            start = self._waited_for_permission(thing, start, end)
        if start >= end:
            return
        if thing not in graph.ended or self._too_deep(thing, start, end):
            self._plain(thing, start, end)
        else:
            self._place(thing, start, end)

    def _too_deep(self, thing: int, start: int, end: int) -> bool:
        graph = self._graph
        if thing == graph.root or end == graph.end[thing]:
            return False
        self._cuts_left -= 1
        return self._cuts_left < 0

    def _place(self, place: int, start: int, end: int) -> None:
        """Walk back through what is in a place."""
        graph, push = self._graph, self._todo.append
        starts, spawns = graph.start, graph.first_tool <= place < graph.root
        here, thing, at, beside = end, *self._latest(place, end)
        follower = NONE
        while True:
            floor = start if thing == NONE or at < start else at
            if beside != NONE:
                began = max(starts[beside], floor)
                push((beside, began, here))
                here = began
            if here > floor:
                self._lag(place, floor, here, thing, follower)
            if floor <= start:
                return
            began = queued_until(graph, thing) if spawns else starts[thing]
            here = min(max(began, start), at)
            push((thing, here, at))
            call = graph.streaming[thing]
            if call != NONE and here > start:
                began = max(starts[call], start)
                push((call, began, here))
                here, thing = began, call
            if here <= start:
                return
            follower, beside = thing, graph.beside[thing]
            at, thing = graph.free_ns[thing], graph.before[thing]

    def _latest(self, place: int, end: int) -> tuple[int, int, int]:
        """What had ended last in a place, when, and what was still going on."""
        graph = self._graph
        if place == graph.root or end >= graph.end[place]:
            return graph.last[place], graph.last_ns[place], NONE
        going = self._going.get(place)
        if going is None:
            going = self._going[place] = Going(
                [(graph.start[thing], at, thing) for at, thing in graph.ended[place]]
            )
        at, thing = going.last_ended(end)
        return thing, at, going.at(end)

    def _lag(self, place: int, start: int, end: int, before: int, after: int) -> None:
        """Emit time in a place in which nothing of it is known to go on."""
        graph = self._graph
        if graph.first_tool <= place < graph.root:
            owner = graph.within[place]
            if before == NONE and after != NONE:
                self._emit(start, end, Category.QUEUE, after, place)
            else:
                self._emit(start, end, Category.TOOL, owner, place)
        elif self._backoffs and waited(self._backoffs, place, start, end):
            self._emit(start, end, Category.BACKOFF, self._agent(place), NONE)
        elif not self._inside and before == NONE and queued_until(graph, place) >= end:
            self._emit(start, end, Category.QUEUE, place, NONE)
        else:
            self._plain(place, start, end)

    def _plain(self, thing: int, start: int, end: int) -> None:
        """Emit time of a thing that nothing in it explains."""
        graph = self._graph
        if thing == graph.root:
            self._emit(start, end, Category.GAP, NONE, NONE)
        elif thing >= graph.first_tool:
            owner = self._agent(graph.within[thing])
            self._emit(start, end, Category.TOOL, owner, thing)
        else:
            at_work = self._inside and (
                graph.role[thing] in _AT_WORK
                or (graph.role[thing] == Role.FIRST_WAITED and end <= self._held(thing))
            )
            category = Category.SUBAGENT if at_work else Category.GAP
            self._emit(start, end, category, thing, NONE)

    def _held(self, agent: int) -> int:
        """Until when the first activation of an agent was waited for."""
        return self._graph.end[self._graph.within[agent]]

    def _call(self, call: int, start: int, end: int) -> None:
        agent = self._agent(self._graph.within[call])
        retries = self._retries.get(call - self._graph.agents, 0)
        if retries:
            until = min(max(self._graph.start[call] + retries, start), end)
            if start < until:
                self._emit(start, until, Category.BACKOFF, agent, call)
            start = until
        if start < end:
            self._emit(start, end, Category.MODEL, agent, call)

    def _waited_for_permission(self, tool: int, start: int, end: int) -> int:
        """Emit the wait for permission; return when the tool call went on."""
        wait = self._permission.get(tool - self._graph.first_tool, 0)
        if not wait:
            return start
        until = min(self._graph.start[tool] + wait, end)
        if start >= until:
            return start
        agent = self._agent(self._graph.within[tool])
        self._emit(start, until, Category.PERMISSION, agent, tool)
        return until

    def _from_outside(self, thing: int, start: int, end: int) -> None:
        """Emit the time of a tool call or a sub-agent as its parent sees it."""
        graph = self._graph
        if thing < graph.agents:
            self._emit(start, end, Category.SUBAGENT, graph.within[thing], NONE)
            return
        start = self._waited_for_permission(thing, start, end)
        owner = self._agent(graph.within[thing])
        if thing in graph.ended:
            first = self._first_at_work(thing)
            last = min(max(graph.last_ns[thing], start), end)
            first = min(max(first, start), last)
            if start < first:
                self._emit(start, first, Category.QUEUE, owner, thing)
            if first < last:
                self._emit(first, last, Category.SUBAGENT, owner, thing)
            start = last
        if start < end:
            self._emit(start, end, Category.TOOL, owner, thing)

    def _first_at_work(self, tool: int) -> int:
        """When the first that a tool call spawned was no longer queued."""
        first = self._at_work.get(tool)
        if first is None:
            ended = self._graph.ended[tool]
            first = min(queued_until(self._graph, agent) for _, agent in ended)
            self._at_work[tool] = first
        return first

    def _agent(self, place: int) -> int:
        return NONE if place == self._graph.root else place


def queued_until(graph: Graph, agent: int) -> int:
    """When a sub-agent first did something, if it began after the call that waits for it.

    Otherwise, and for what is no such sub-agent, when it began.
    """
    began = graph.start[agent]
    if agent >= graph.agents or graph.role[agent] not in _CALLED:
        return began
    if began <= graph.start[graph.within[agent]]:
        return began
    return max(graph.first_own[agent], began)
