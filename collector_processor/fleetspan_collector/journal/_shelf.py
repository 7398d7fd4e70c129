"""Which segments there are: the state that the journal's threads share."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fleetspan_collector._signals import Signal
from fleetspan_collector.journal.metrics import JournalMetrics
from fleetspan_collector.journal.segment import RecordIds, Segment


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenState:
    """What is durable in a segment that is not sealed yet.

    Attributes:
        signal: What kind of input it holds.
        batch_id: Its name.
        size_bytes: How long it is.
        records: How many records it holds.
        rows: How many raw rows they become.
        age_s: For how long its first record has been durable, in seconds.
    """

    signal: Signal
    batch_id: str
    size_bytes: int
    records: int
    rows: int
    age_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalState:
    """What a scheduler needs to know of the journal.

    Attributes:
        version: Rises whenever a segment gets its first record, is sealed or removed,
            and when the journal is closed.
        open: The segments that hold records and are not sealed, oldest first.
        sealed_segments: How many sealed segments there are.
        sealed_bytes: How long they are together.
        closed: The journal takes no more requests.
    """

    version: int
    open: tuple[OpenState, ...]
    sealed_segments: int
    sealed_bytes: int
    closed: bool


class Shelf:
    """The segments of a running journal; every method may be called by any thread."""

    def __init__(self, metrics: JournalMetrics) -> None:
        self._metrics = metrics
        self._changed = threading.Condition()
        self._version = 0
        self._closed = False
        self._open: dict[str, tuple[Segment, float]] = {}
        self._sealed: dict[str, tuple[Segment, RecordIds]] = {}
        self._newest: dict[Signal, str] = {}
        self.total_bytes = 0

    def grow(self, segment: Segment) -> None:
        """Take note of what is durable in an open segment now."""
        with self._changed:
            held = self._open.get(segment.batch_id)
            since_s = held[1] if held else time.monotonic()
            self._open[segment.batch_id] = (segment, since_s)
            self._newest[segment.signal] = segment.batch_id
            self._count()
            if held is None:
                self._touch()

    def seal(self, segment: Segment, ids: RecordIds) -> None:
        """Take note of a segment that is sealed now."""
        with self._changed:
            self._open.pop(segment.batch_id, None)
            self._sealed[segment.batch_id] = (segment, ids)
            newest = self._newest.get(segment.signal, "")
            self._newest[segment.signal] = max(newest, segment.batch_id)
            self._count()
            self._touch()

    def replace(self, segment: Segment) -> None:
        """Take note of a sealed segment that lost records to quarantine."""
        with self._changed:
            _, ids = self._sealed[segment.batch_id]
            self._sealed[segment.batch_id] = (segment, ids)
            self._count()

    def remove(self, batch_id: str) -> None:
        """Forget a sealed segment."""
        with self._changed:
            self._sealed.pop(batch_id, None)
            self._count()
            self._touch()

    def close(self) -> None:
        """Wake everybody who waits: nothing more will come."""
        with self._changed:
            self._closed = True
            self._touch()

    def ids(self, batch_id: str) -> RecordIds | None:
        """Return the record ids of a sealed segment; ``None`` when it is not here."""
        with self._changed:
            held = self._sealed.get(batch_id)
            return held[1] if held else None

    def sealed(self) -> list[Segment]:
        """Return the sealed segments, oldest first."""
        with self._changed:
            return [self._sealed[batch_id][0] for batch_id in sorted(self._sealed)]

    def position(self) -> dict[Signal, str]:
        """Return the newest batch id of each signal that holds a durable record."""
        with self._changed:
            return dict(self._newest)

    def passed(self, position: Mapping[Signal, str]) -> bool:
        """Tell whether every segment up to a position has been removed."""
        with self._changed:
            held = [item[0] for item in (*self._open.values(), *self._sealed.values())]
            return not any(
                segment.batch_id <= position.get(segment.signal, "") for segment in held
            )

    def state(self) -> JournalState:
        """Return what a scheduler needs to know."""
        with self._changed:
            now_s = time.monotonic()
            return JournalState(
                version=self._version,
                open=tuple(
                    OpenState(
                        signal=segment.signal,
                        batch_id=batch_id,
                        size_bytes=segment.size_bytes,
                        records=segment.records,
                        rows=segment.rows,
                        age_s=now_s - since_s,
                    )
                    for batch_id, (segment, since_s) in sorted(self._open.items())
                ),
                sealed_segments=len(self._sealed),
                sealed_bytes=sum(item[0].size_bytes for item in self._sealed.values()),
                closed=self._closed,
            )

    def wait_for_change(self, seen: int, timeout_s: float | None) -> int:
        """Return the version once it is not ``seen``, or when the time is up."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._version != seen or self._closed, timeout_s
            )
            return self._version

    def _touch(self) -> None:
        self._version += 1
        self._changed.notify_all()

    def _count(self) -> None:
        open_bytes = dict.fromkeys(Signal, 0)
        for segment, _ in self._open.values():
            open_bytes[segment.signal] += segment.size_bytes
        for signal, size_bytes in open_bytes.items():
            self._metrics.open_bytes.labels(signal.value).set(size_bytes)
        sealed_bytes = sum(item[0].size_bytes for item in self._sealed.values())
        self._metrics.sealed_segments.set(len(self._sealed))
        self._metrics.sealed_bytes.set(sealed_bytes)
        self.total_bytes = sealed_bytes + sum(open_bytes.values())
