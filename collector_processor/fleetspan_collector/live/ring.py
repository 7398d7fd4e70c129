"""The latest events, for all listeners together."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fleetspan_collector.live.event import Event

_MOST_EVENTS: Final = 200_000
_MOST_BYTES: Final = 64 << 20


class Ring:
    """Events by number, the oldest of which go when there are too many.

    Args:
        most_events: How many are kept.
        most_bytes: How much memory they may take.
    """

    def __init__(
        self, most_events: int = _MOST_EVENTS, most_bytes: int = _MOST_BYTES
    ) -> None:
        self._most_events = most_events
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._epoch = _new_epoch()
        # What has gone stays in front until it is worth moving the rest; `None` stands
        # for an event that was never made.
        self._kept: list[Event | None] = []
        self._gone = 0
        self._first = 1
        self._bytes = 0
        self._wake: Callable[[], None] = lambda: None

    @property
    def epoch(self) -> str:
        """Names the numbers: those of another epoch mean nothing here."""
        return self._epoch

    @property
    def head(self) -> int:
        """The number of the newest event; 0 before the first."""
        with self._lock:
            return self._first + len(self._kept) - self._gone - 1

    def when_new(self, wake: Callable[[], None]) -> None:
        """Have something called, in whatever thread adds, whenever there is news."""
        self._wake = wake

    def add(self, events: Iterable[Event]) -> None:
        """Append events."""
        with self._lock:
            for event in events:
                self._kept.append(event)
                self._bytes += event.size_bytes
            self._trim()
        self._wake()

    def skip(self, count: int) -> None:
        """Number events that are never made: listeners are told that they missed them."""
        with self._lock:
            if count > self._most_events:
                self._first += len(self._kept) - self._gone + count
                self._kept, self._gone, self._bytes = [], 0, 0
            else:
                self._kept += [None] * count
                self._trim()
        self._wake()

    def renew(self) -> None:
        """Begin another epoch: nobody knows how much was not made since the last event."""
        with self._lock:
            self._epoch = _new_epoch()
            self._kept, self._gone, self._first, self._bytes = [], 0, 1, 0

    def after(self, number: int, most: int) -> tuple[int, Sequence[Event | None]]:
        """Return what comes after a number, oldest first.

        Args:
            number: The last one seen.
            most: How many to return at most.

        Returns:
            How many have gone since that number, and those that follow; ``None`` stands
            for one that was never made.
        """
        with self._lock:
            start = max(number + 1, self._first)
            place = start - self._first + self._gone
            return start - number - 1, self._kept[place : place + most]

    def _trim(self) -> None:
        while (
            len(self._kept) - self._gone > self._most_events
            or self._bytes > self._most_bytes
        ):
            oldest = self._kept[self._gone]
            if oldest is not None:
                self._bytes -= oldest.size_bytes
            self._kept[self._gone] = None
            self._gone += 1
            self._first += 1
        if self._gone > len(self._kept) // 2:
            del self._kept[: self._gone]
            self._gone = 0


def _new_epoch() -> str:
    return uuid.uuid4().hex[:12]
