"""Lays a run out again, with changes: forwards through its moments."""

from __future__ import annotations

import heapq

from fleetspan_collector.processors.critical_path._limits import Limits
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._plan import Plan
from fleetspan_collector.processors.run import NONE


class Schedule:
    """When the things of a run begin and end under a plan.

    Args:
        graph: The order of the run's things.
        limits: How many jobs may be at work at a time.
        plan: What is otherwise.
    """

    def __init__(self, graph: Graph, limits: Limits, plan: Plan) -> None:
        self._graph, self._limits, self._plan = graph, limits, plan
        self._begun = [graph.first_ns] * (graph.root + 1)
        # By place: until when it is busy with what has ended in it so far.
        self._free = [graph.first_ns] * (graph.root + 1)
        self._latest = graph.first_ns
        # By limit: when the jobs at work end, and when the last of them began.
        self._at_work: list[list[int]] = [[] for _ in limits.at_once]
        self._last_begun: dict[int, int] = {}
        # Jobs whose time is known, and which have not ended yet.
        self._ends: dict[int, int] = {}

    def wall_ns(self) -> int:
        """Go through all moments; return the wall time in nanoseconds."""
        graph, removed, series = self._graph, self._plan.removed, self._limits.series
        begun, free, sooner = self._begun, self._free, self._plan.sooner
        root, within = graph.root, graph.within
        for moment in self._limits.moments:
            thing = moment if moment < root else moment - root - 1
            if thing in removed:
                if moment < root:
                    begun[thing] = free[thing] = free[within[thing]]
            elif moment < root:
                begins = self._turn if thing in series else self._follows
                begun[thing] = free[thing] = begins(thing, within[thing])
                if thing in sooner:
                    free[thing] -= sooner[thing]
            elif thing not in series:
                self._ended(thing, self._ending(thing))
            elif thing in self._ends:
                self._ended(thing, self._ends.pop(thing))
            else:
                self._ends[thing] = ends = self._ending(thing)
                heapq.heappush(self._at_work[series[thing]], ends)
        return self._latest - graph.first_ns

    def _turn(self, job: int, place: int) -> int:
        """When a job begins that may have to wait for a place."""
        limits, series = self._limits, self._limits.series[job]
        at_work, free = self._at_work[series], self._graph.first_ns
        while len(at_work) >= limits.at_once[series]:
            free = heapq.heappop(at_work)
        if job in self._plan.together:
            at = self._follows(job, place)
        elif job not in limits.free_ns:
            at = max(self._follows(job, place), free)
        else:
            before = self._last_begun.get(series, self._free[place])
            at = max(before, free) + self._graph.start[job] - limits.free_ns[job]
        self._last_begun[series] = at
        return at

    def _follows(self, thing: int, place: int) -> int:
        """When a thing begins that waits for what had ended before it."""
        graph, plan, begun, start = (
            self._graph,
            self._plan,
            self._begun,
            self._graph.start,
        )
        if thing in plan.together:
            return begun[plan.together[thing]]
        if graph.anchored[thing]:
            return begun[place] + start[thing] - start[place]
        call = graph.streaming[thing]
        if call != NONE:
            took = graph.end[call] - start[call]
            takes = 0 if call in plan.removed else plan.lasts.get(call, took)
            streamed = (start[thing] - start[call]) * takes // took if took else 0
            return max(begun[call] + streamed, self._free[place])
        wait = start[thing] - graph.ready_ns[thing]
        return self._free[place] + max(wait - plan.waits_less.get(thing, 0), 0)

    def _ending(self, thing: int) -> int:
        """When a thing ends, once everything in it has."""
        graph, free = self._graph, self._free
        if thing in graph.again:
            free[thing] = max(free[thing], *(free[each] for each in graph.again[thing]))
        if thing in self._plan.lasts:
            return self._begun[thing] + self._plan.lasts[thing]
        left = graph.end[thing] - graph.closing_ns[thing]
        return max(free[thing] + left, self._begun[thing])

    def _ended(self, thing: int, ends: int) -> None:
        """Let what waits for a thing know."""
        graph, free, place = self._graph, self._free, self._graph.within[thing]
        waited = graph.waited[thing]
        goes_on = place if waited else graph.wakes.get(thing, NONE)
        if goes_on != NONE and ends > free[goes_on]:
            free[goes_on] = ends
        # What is in another thing ends with it, however long that is said to last.
        if place == graph.root or not waited:
            self._latest = max(self._latest, ends)
