"""The latest events, for all listeners together."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from fleetspan_collector.live.event import Event

_MOST_EVENTS: Final = 200_000
_MOST_BYTES: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class Missed:
    """Events that went by unseen; how many is in ``count``, ``None`` if nobody knows."""

    count: int | None


class Ring:
    """Events by number, the oldest of which go when there are too many.

    Args:
        most_events: How many are kept.
        most_bytes: How much memory they may take.

    Attributes:
        epoch: Names the life of this ring: numbers of another one mean nothing here.
    """

    def __init__(
        self, most_events: int = _MOST_EVENTS, most_bytes: int = _MOST_BYTES
    ) -> None:
        self.epoch = uuid.uuid4().hex[:12]
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._events: deque[Event] = deque()
        self._first = 1
        self._bytes = 0
        self._wake: Callable[[], None] = lambda: None

    @property
    def head(self) -> int:
        """The number of the newest event; 0 before the first."""
        return self._first + len(self._events) - 1

    def when_new(self, wake: Callable[[], None]) -> None:
        """Have something called, in whatever thread adds, whenever there is news."""
        self._wake = wake

    def add(self, events: Iterable[Event]) -> None:
        """Append events."""
        with self._lock:
            for event in events:
                self._events.append(event)
                self._bytes += event.size_bytes
            while self._events and (
                len(self._events) > self._most_events or self._bytes > self._most_bytes
            ):
                self._bytes -= self._events.popleft().size_bytes
                self._first += 1
        self._wake()

    def skip(self, count: int) -> None:
        """Leave out numbers of events that nobody has seen: all listeners are told."""
        with self._lock:
            # Whoever stands before them finds the gap, as if they had been here.
            self._first += len(self._events) + count
            self._events.clear()
            self._bytes = 0
        self._wake()

    def after(self, number: int, most: int) -> tuple[int, list[tuple[int, Event]]]:
        """Return the events after a number, oldest first.

        Args:
            number: The last one seen.
            most: How many to return at most.

        Returns:
            How many were missed because they had gone, and the events with their numbers.
        """
        with self._lock:
            start = max(number + 1, self._first)
            place = start - self._first
            stop = min(place + most, len(self._events))
            found = [
                (self._first + index, self._events[index])
                for index in range(place, stop)
            ]
            return start - number - 1, found
