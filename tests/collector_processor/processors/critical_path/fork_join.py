"""Runs of a known structure: who waits for whom is decided here, not read from times.

An agent works in rounds: it waits, asks its model, then sets some tool calls to work, all
at once (one millisecond after the other), and goes on when the last of them is done. A
tool call may be a spawn: it waits for its sub-agents, which work side by side or one
after another. Times are whole milliseconds; whatever runs beside others takes longer than
it took to start them all.

Two rounds are of another kind. In one, helpers are sent off into the background, and a
tool call of their parent waits for all of them. In the other, there are more jobs than
may be at work at a time: each has a spawn call of its own, which begins once it has a
place and the one before it has begun.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.building import Building


@dataclass(frozen=True)
class Tool:
    """A tool call; it takes its time after the wait for permission."""

    ms: int
    permission_ms: int


@dataclass(frozen=True)
class Spawn:
    """A tool call that waits for sub-agents."""

    permission_ms: int
    head_ms: int
    workers: tuple[Worker, ...]
    side_by_side: bool
    between_ms: int
    tail_ms: int


@dataclass(frozen=True)
class Round:
    """A model call and what it sets to work."""

    wait_ms: int
    call_ms: int
    lead_ms: int
    steps: tuple[Tool | Spawn, ...]
    fails: bool


@dataclass(frozen=True)
class Helpers:
    """Agents in the background, and the tool call that waits for all of them."""

    call_ms: int
    workers: tuple[Worker, ...]
    late_ms: int


@dataclass(frozen=True)
class Jobs:
    """More agents than may be at work at a time."""

    call_ms: int
    workers: tuple[Worker, ...]
    at_once: int
    lag_ms: int


@dataclass(frozen=True)
class Worker:
    """An agent."""

    rounds: tuple[Round | Helpers | Jobs, ...]
    tail_ms: int


LONG = st.integers(10, 2_000)
SHORT = st.integers(0, 300)
NO_OR_LONG = st.just(0) | LONG


def workers(depth: int = 2, *, jobs: bool = True) -> st.SearchStrategy[Worker]:
    """Agents with sub-agents at most so deep, with or without a limit of jobs at a time."""
    steps: st.SearchStrategy[Tool | Spawn] = st.builds(Tool, LONG, NO_OR_LONG)
    if depth:
        steps = steps | st.builds(
            Spawn,
            NO_OR_LONG,
            st.integers(0, 300),
            st.lists(workers(depth - 1, jobs=jobs), min_size=1, max_size=3).map(tuple),
            st.booleans(),
            SHORT,
            SHORT,
        )
    plain = rounds(steps)
    any_round: st.SearchStrategy[Round | Helpers | Jobs] = plain
    if depth:
        any_round |= helpers(plain)
    if depth and jobs:
        any_round |= st.builds(_jobs, LONG, st.integers(0, 10**6), st.integers(0, 1))
    several = st.lists(any_round, min_size=1, max_size=3)
    return st.builds(Worker, several.map(tuple), SHORT)


def rounds(steps: st.SearchStrategy[Tool | Spawn]) -> st.SearchStrategy[Round]:
    """Rounds with some steps."""
    return st.builds(
        Round,
        SHORT,
        LONG,
        SHORT,
        st.lists(steps, max_size=3).map(tuple),
        st.booleans(),
    )


def helpers(plain: st.SearchStrategy[Round]) -> st.SearchStrategy[Helpers]:
    """Helpers that are still at work when they begin to be waited for."""
    first = st.integers(2_000, 4_000).map(lambda ms: Round(0, ms, 0, (), False))
    helper = st.builds(
        lambda first, more, tail_ms: Worker((first, *more), tail_ms),
        first,
        st.lists(plain, max_size=2),
        SHORT,
    )
    several = st.lists(helper, min_size=1, max_size=3).map(tuple)
    return st.builds(Helpers, st.integers(1, 5), several, st.integers(0, 90))


def _jobs(call_ms: int, seed: int, nested: int) -> Jobs:
    """Jobs that end one by one: chance alone decides how long they take."""
    chance = random.Random(seed)
    at_once, lag_ms = chance.randint(2, 4), chance.randint(1, 20)
    lasting = [chance.randint(2_000, 9_000) for _ in range(at_once + 5 + seed % 4)]
    workers = [Worker((Round(0, ms, 0, (), False),), 0) for ms in lasting]
    if nested:
        tool = Tool(chance.randint(10, 2_000), 0)
        spawn = Spawn(0, 0, (workers[0],), True, 0, 0)
        workers[0] = Worker((Round(0, 500, 3, (tool, spawn), False),), 20)
    return Jobs(call_ms, tuple(workers), at_once, lag_ms)


@dataclass
class Otherwise:
    """What is to be otherwise when a run is built, by the id of the thing."""

    lasts: Mapping[str, int] = field(default_factory=dict)
    removed: AbstractSet[str] = frozenset()
    no_permission: AbstractSet[str] = frozenset()
    no_backoff: AbstractSet[str] = frozenset()
    side_by_side: AbstractSet[str] = frozenset()


class Builder:
    """Builds a run; ids say the place in the structure, so they stay in another."""

    def __init__(
        self, otherwise: Otherwise | None = None, *, backwards: bool = False
    ) -> None:
        self.building = Building()
        self.name = reversed_id if backwards else str
        self.otherwise = otherwise or Otherwise()
        self.end_ms = 0

    def run(self, worker: Worker) -> Run:
        """Return the run of an agent."""
        self.end_ms = max(self._work(worker, "m", 0, None, None), self.end_ms)
        return self.building.run()

    def _work(
        self, worker: Worker, name: str, at: int, parent: str | None, spawn: str | None
    ) -> int:
        now, failed = at, False
        for place, each in enumerate(worker.rounds):
            if isinstance(each, Round):
                now, failed = self._round(each, f"{name}/{place}", name, now, failed)
                continue
            now = self._ask(each.call_ms, f"{name}/{place}c", name, now)
            if isinstance(each, Helpers):
                now = self._helpers(each, f"{name}/{place}", name, now)
            else:
                now = self._jobs(each, f"{name}/{place}", name, now)
            failed = False
        now += worker.tail_ms
        if name in self.otherwise.lasts:
            now = at + self.otherwise.lasts[name]
        self.building.agent(
            self.name(name),
            at / 1000,
            now / 1000,
            parent=None if parent is None else self.name(parent),
            spawned_by=None if spawn is None else self.name(spawn),
        )
        return now

    def _round(
        self, each: Round, place: str, name: str, now: int, failed: bool
    ) -> tuple[int, bool]:
        call = f"{place}c"
        if call not in self.otherwise.removed:
            if not (failed and call in self.otherwise.no_backoff):
                now += each.wait_ms
            error = "529 overloaded" if each.fails else ""
            now = self._ask(each.call_ms, call, name, now, error)
        ends = [
            self._step(step, f"{place}t{number}", name, now + each.lead_ms + number)
            for number, step in enumerate(each.steps)
            if f"{place}t{number}" not in self.otherwise.removed
        ]
        return max(ends, default=now), each.fails

    def _ask(self, ms: int, call: str, name: str, at: int, error: str = "") -> int:
        """Ask the model; return when it has answered."""
        if call in self.otherwise.removed:
            return at
        took = self.otherwise.lasts.get(call, ms)
        self.building.call(
            self.name(name),
            at / 1000,
            took / 1000,
            call_id=self.name(call),
            Error=error,
            CostUsd=1.0,
        )
        return at + took

    def _use(self, call: str, name: str, at: int, end: int, **given: Any) -> int:
        """Use a tool until a moment, or for as long as it is said to last."""
        ends = at + self.otherwise.lasts.get(call, end - at)
        self.building.tool(
            self.name(name),
            at / 1000,
            (ends - at) / 1000,
            call_id=self.name(call),
            **given,
        )
        return ends

    def _helpers(self, each: Helpers, place: str, name: str, now: int) -> int:
        done = 0
        for number, helper in enumerate(each.workers):
            tool = f"{place}t{number}"
            if tool not in self.otherwise.removed:
                done = max(done, self._work(helper, f"{tool}w0", now, name, tool))
                self.end_ms = max(self.end_ms, done)
                now = self._use(tool, name, now, now + 1)
        now = self._ask(2, f"{place}d", name, now)
        wait = f"{place}u"
        if wait in self.otherwise.removed:
            return now
        done = max(now, done) + each.late_ms
        return self._use(wait, name, now, done, tool="TaskOutput")

    def _jobs(self, each: Jobs, place: str, name: str, now: int) -> int:
        first, before = now, now
        at_work: list[int] = []
        ends = [now]
        for number, worker in enumerate(each.workers):
            tool = f"{place}t{number}"
            if tool in self.otherwise.removed:
                continue
            if number < each.at_once:
                at = first + number * each.lag_ms
            else:
                free = first
                while len(at_work) >= each.at_once:
                    free = heapq.heappop(at_work)
                at = max(free, before) + each.lag_ms
            done = self._work(worker, f"{tool}w0", at, name, tool)
            ends.append(self._use(tool, name, at, done))
            heapq.heappush(at_work, ends[-1])
            before = at
        return max(ends)

    def _step(self, step: Tool | Spawn, tool: str, name: str, at: int) -> int:
        waits = 0 if tool in self.otherwise.no_permission else step.permission_ms
        now = at + waits
        if isinstance(step, Tool):
            now = at + self.otherwise.lasts.get(tool, waits + step.ms)
        else:
            now = self._workers(step, tool, name, now)
        self.building.tool(
            self.name(name),
            at / 1000,
            (now - at) / 1000,
            call_id=self.name(tool),
            PermissionWaitMs=float(waits),
        )
        return now

    def _workers(self, step: Spawn, tool: str, name: str, now: int) -> int:
        starts = now + step.head_ms
        ends: list[int] = []
        together = step.side_by_side or tool in self.otherwise.side_by_side
        exact = tool in self.otherwise.side_by_side
        for number, worker in enumerate(step.workers):
            if not together and ends:
                starts = ends[-1] + step.between_ms
            stagger = number if step.side_by_side and not exact else 0
            ends.append(
                self._work(
                    worker,
                    f"{tool}w{number}",
                    starts + stagger,
                    parent=name,
                    spawn=tool,
                )
            )
        return max(ends) + step.tail_ms


def build(
    worker: Worker, otherwise: Otherwise | None = None, *, backwards: bool = False
) -> tuple[Run, float]:
    """Return the run of an agent, and its wall time in seconds as it was built."""
    builder = Builder(otherwise, backwards=backwards)
    run = builder.run(worker)
    return run, builder.end_ms / 1000


def reversed_id(name: str) -> str:
    """The same id with other digits, so that siblings sort the other way round."""
    return name.translate(str.maketrans("0123456789", "9876543210"))
