"""How much may run at once, and who goes first when that is less than could."""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from fleetspan_routing.coordinator._errors import GraphError
from fleetspan_routing.coordinator.step import Phase, Step

Rank = tuple[float, ...]
"""How urgent a step is; the greater goes first."""

_Kind = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many steps may run at once.

    A step that waits to be tried again takes no slot.

    Attributes:
        total: Of all; None for any number, likewise below.
        phases: Of a phase.
        resources: Of those that name a key, such as ``gpu`` or ``repository``.
        other_resources: Of those that name a key that `resources` does not have, for
            each such key. None: such a key is an error, since it may be a slip.
    """

    total: int | None = None
    phases: Mapping[Phase, int] = field(default_factory=dict)
    resources: Mapping[str, int] = field(default_factory=dict)
    other_resources: int | None = None

    def __post_init__(self) -> None:
        for phase in self.phases:
            if phase not in set(Phase):
                _refuse(f"phases[{phase!r}]", phase, f"a phase is {', '.join(Phase)}")
        for name, value in (
            ("total", self.total),
            ("other_resources", self.other_resources),
            *((f"phases[{key!r}]", each) for key, each in self.phases.items()),
            *((f"resources[{key!r}]", each) for key, each in self.resources.items()),
        ):
            good = isinstance(value, int) and not isinstance(value, bool) and value >= 1
            if value is not None and not good:
                _refuse(name, value, "a limit is a whole number of at least 1")

    def of_resource(self, key: str) -> int | None:
        """Return how many steps may hold a key at once; None when it has no limit."""
        return self.resources.get(key, self.other_resources)


def _refuse(name: str, value: object, because: str) -> None:
    raise GraphError(
        f"Limits: {name} cannot be {value!r}",
        because=because,
        suggestion="leave it out where nothing is to be limited",
    )


@dataclass(slots=True, kw_only=True, eq=False)
class Ticket:
    """A step's place in the queue.

    Attributes:
        step: Whose it is.
        start: Called when the step has its slots.
        gone: Whether it is no longer in the queue.
    """

    step: Step
    start: Callable[[], None]
    gone: bool = False


class Slots:
    """The slots, and the queue for them.

    Those that wait for the same slots stand in one queue, so that granting looks at each
    queue's head and not at all who wait. A step that has to wait for one slot never
    keeps another from being used.

    Args:
        limits: How many there are.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._queues: dict[_Kind, list[tuple[Rank, int, Ticket]]] = {}
        self._order = itertools.count()
        self._held: dict[str, Step] = {}
        self._phases: Counter[str] = Counter()
        self._resources: Counter[str] = Counter()
        self._closed = False

    def ask(self, step: Step, rank: Rank, start: Callable[[], None]) -> Ticket:
        """Put a step into the queue; `grant` calls ``start`` when it is its turn."""
        ticket = Ticket(step=step, start=start)
        queue = self._queues.setdefault(_kind(step), [])
        heapq.heappush(queue, (_inverse(rank), next(self._order), ticket))
        return ticket

    def withdraw(self, ticket: Ticket) -> None:
        """Take a step out of the queue; harmless when it has left it."""
        ticket.gone = True

    def give_back(self, step: Step) -> None:
        """Free what a step holds; harmless when it holds nothing."""
        if self._held.pop(step.name, None) is not None:
            self._phases[step.phase] -= 1
            self._resources.subtract(step.resources)

    def rank_again(self, ranks: Mapping[str, Rank]) -> None:
        """Put all who wait into a new order, after the graph has grown."""
        for kind, queue in self._queues.items():
            self._queues[kind] = [
                (_inverse(ranks[ticket.step.name]), order, ticket)
                for _, order, ticket in queue
                if not ticket.gone
            ]
            heapq.heapify(self._queues[kind])

    def close(self) -> None:
        """Grant nothing any more."""
        self._closed = True

    def grant(self) -> None:
        """Start whoever can be started, the most urgent first."""
        while (ticket := self._next()) is not None:
            step = ticket.step
            ticket.gone = True
            self._held[step.name] = step
            self._phases[step.phase] += 1
            self._resources.update(step.resources)
            ticket.start()

    def _next(self) -> Ticket | None:
        total = self._limits.total
        if self._closed or (total is not None and len(self._held) >= total):
            return None
        best: list[tuple[Rank, int, Ticket]] | None = None
        for kind in list(self._queues):
            queue = self._queues[kind]
            while queue and queue[0][2].gone:
                heapq.heappop(queue)
            if not queue:
                del self._queues[kind]
            elif (best is None or queue[0] < best[0]) and self._is_free(kind):
                best = queue
        return heapq.heappop(best)[2] if best else None

    def _is_free(self, kind: _Kind) -> bool:
        phase, resources = kind
        most = self._limits.phases.get(Phase(phase))
        if most is not None and self._phases[phase] >= most:
            return False
        return all(
            (limit := self._limits.of_resource(key)) is None
            or self._resources[key] < limit
            for key in resources
        )


def _kind(step: Step) -> _Kind:
    return step.phase, tuple(sorted(step.resources))


def _inverse(rank: Iterable[float]) -> Rank:
    return tuple(-each for each in rank)
