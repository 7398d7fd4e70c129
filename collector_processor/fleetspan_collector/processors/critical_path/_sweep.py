"""Goes through the moments of a run, and notes what each thing found when it came.

An agent in the background that ends while its parent does nothing wakes it, if the parent
goes on, or ends, within `_WAKE_NS`: so clients tell an agent that what it sent off is done.
Those that a tool call waited for are known before (`_joins`).
"""

from __future__ import annotations

from bisect import insort
from typing import Final

from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.run import NONE

_WAKE_NS: Final = 2 * 10**9
"""In the captures of Claude Code it takes 0.1 to 0.2 s."""


class Sweep:
    """Fills in what a graph says of one thing after another.

    Args:
        graph: Its times, places and moments are given; the rest is noted.
    """

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        # By place: what goes on in it that it waits for, first begun first.
        self._going: dict[int, dict[int, None]] = {}
        self._call_going = [NONE] * (graph.root + 1)
        # By place: until when it was busy, counting who woke it.
        self._ready = [graph.first_ns] * (graph.root + 1)
        # By agent: who ended in the background since it last did something.
        self._told: dict[int, list[int]] = {}

    def through(self) -> None:
        """Go through all moments."""
        graph = self._graph
        graph.last_ns[graph.root] = graph.first_ns
        for moment in graph.moments:
            if moment < graph.root:
                self._begin(moment, graph.within[moment])
            else:
                thing = moment - graph.root - 1
                self._end(thing, graph.within[thing])

    def _begin(self, thing: int, place: int) -> None:
        graph = self._graph
        start = graph.start[thing]
        graph.last_ns[thing] = self._ready[thing] = start
        if graph.anchored[thing]:
            graph.free_ns[thing] = graph.ready_ns[thing] = graph.start[place]
            return
        if place in self._told:
            self._wake(place, start)
        graph.before[thing] = graph.last[place]
        graph.free_ns[thing] = graph.last_ns[place]
        graph.ready_ns[thing] = self._ready[place]
        beside = self._going.setdefault(place, {})
        if beside:
            graph.beside[thing] = next(iter(beside))
        call = self._call_going[place]
        if graph.agents <= thing < graph.first_tool:
            self._call_going[place] = thing
        elif call != NONE and self._asked(call, thing, place):
            graph.streaming[thing] = call
        if graph.waited[thing]:
            beside[thing] = None

    def _asked(self, call: int, thing: int, place: int) -> bool:
        """Whether a call that goes on may have asked for a thing that begins."""
        graph = self._graph
        if graph.start[call] == graph.start[thing]:
            return False
        return thing >= graph.first_tool or place != graph.root

    def _end(self, thing: int, place: int) -> None:
        graph = self._graph
        end = graph.end[thing]
        for agent in graph.again.get(thing, ()):
            self._note(thing, agent, graph.last_ns[agent])
            self._ready[thing] = max(self._ready[thing], self._ready[agent])
        if thing in self._told:
            self._wake(thing, end)
        graph.closing_ns[thing] = self._ready[thing]
        if self._call_going[place] == thing:
            self._call_going[place] = NONE
        if graph.waited[thing]:
            self._going[place].pop(thing, None)
            self._note(place, thing, end)
            self._ready[place] = max(self._ready[place], end)
        elif thing in graph.wakes:
            call = graph.wakes[thing]
            self._note(call, thing, end)
            self._ready[call] = max(self._ready[call], end)
        else:
            parent = graph.parent[thing]
            if parent != NONE and not self._going.get(parent):
                self._told.setdefault(parent, []).append(thing)

    def _wake(self, place: int, at: int) -> None:
        graph = self._graph
        for agent in self._told.pop(place):
            ended = graph.end[agent]
            if at - ended <= _WAKE_NS:
                graph.wakes[agent] = place
                self._ready[place] = max(self._ready[place], ended)

    def _note(self, place: int, thing: int, at: int) -> None:
        graph = self._graph
        if graph.last[place] == NONE or at >= graph.last_ns[place]:
            graph.last[place], graph.last_ns[place] = thing, at
        ended = graph.ended.get(place)
        if ended is None:
            graph.ended[place] = [(at, thing)]
        elif at < ended[-1][0]:
            # One that was waited for in part had stopped before others did.
            insort(ended, (at, thing))
        else:
            ended.append((at, thing))
