"""Runs of a known structure: who waits for whom is decided here, not read from times.

An agent works in rounds: it waits, asks its model, then sets some tool calls to work, all
at once (one millisecond after the other), and goes on when the last of them is done. A
tool call may be a spawn: it waits for its sub-agents, which work side by side or one
after another. Times are whole milliseconds; whatever runs beside others takes longer than
it took to start them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

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
class Worker:
    """An agent."""

    rounds: tuple[Round, ...]
    tail_ms: int


LONG = st.integers(10, 2_000)
SHORT = st.integers(0, 300)
NO_OR_LONG = st.just(0) | LONG


def workers(depth: int = 2) -> st.SearchStrategy[Worker]:
    """Agents with sub-agents at most so deep."""
    steps: st.SearchStrategy[Tool | Spawn] = st.builds(Tool, LONG, NO_OR_LONG)
    if depth:
        steps = steps | st.builds(
            Spawn,
            NO_OR_LONG,
            st.integers(0, 300),
            st.lists(workers(depth - 1), min_size=1, max_size=3).map(tuple),
            st.booleans(),
            SHORT,
            SHORT,
        )
    rounds = st.builds(
        Round,
        SHORT,
        LONG,
        SHORT,
        st.lists(steps, max_size=3).map(tuple),
        st.booleans(),
    )
    return st.builds(Worker, st.lists(rounds, min_size=1, max_size=3).map(tuple), SHORT)


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
        self.end_ms = self._work(worker, "m", 0, None, None)
        return self.building.run()

    def _work(
        self, worker: Worker, name: str, at: int, parent: str | None, spawn: str | None
    ) -> int:
        now, failed = at, False
        for place, each in enumerate(worker.rounds):
            now, failed = self._round(each, f"{name}/{place}", name, now, failed)
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
            took = self.otherwise.lasts.get(call, each.call_ms)
            error = "529 overloaded" if each.fails else ""
            self.building.call(
                self.name(name),
                now / 1000,
                took / 1000,
                call_id=self.name(call),
                Error=error,
                CostUsd=1.0,
            )
            now += took
        ends = [
            self._step(step, f"{place}t{number}", name, now + each.lead_ms + number)
            for number, step in enumerate(each.steps)
            if f"{place}t{number}" not in self.otherwise.removed
        ]
        return max(ends, default=now), each.fails

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
