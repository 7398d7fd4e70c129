"""One destination and its own way through the journal."""

from __future__ import annotations

import collections
import logging
import queue
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetspan_collector._signals import Signal
from fleetspan_collector.config._destination import Destination
from fleetspan_collector.forward.metrics import ForwardMetrics
from fleetspan_collector.forward.position import ALL, SIGNALS, Place, Position
from fleetspan_collector.forward.sending import Outcome, Sender, Sent
from fleetspan_collector.forward.shelf import Readable
from fleetspan_collector.journal import record

logger = logging.getLogger("fleetspan.forward")

_IN_FLIGHT: Final = 8
_FIRST_PAUSE_S: Final = 0.2
_LAST_PAUSE_S: Final = 15.0
_WRITE_EVERY_S: Final = 1.0
_IDLE_S: Final = 1.0
# What is added to spans is known about a second after them.
_ENRICHED_AFTER_NS: Final = 5 * 10**9

Listed = Callable[[Signal], list[Readable]]
Enrich = Callable[[bytes, str], bytes]
"""Adds to a request of spans of a tenant."""


@dataclass(slots=True, eq=False)
class _Item:
    """A record on its way.

    Attributes:
        end: Where it ends in its segment, in bytes.
        done: Whether it is there, or will never be.
        passed_over: Whether there was no room for it while it waited.
    """

    signal: Signal
    place: Place
    tenant: str
    payload: bytes
    received_ns: int
    rows: int
    end: int
    done: bool = False
    passed_over: bool = False


class DestinationQueue:
    """Sends records of the journal to one destination, several at a time.

    The position moves past what is done without a gap; what was under way at a crash is
    sent again, with the same bytes.

    Args:
        destination: Where to.
        position: How far it has come.
        listed: Lists the segments of a signal.
        metrics: Where it counts.
    """

    def __init__(
        self,
        destination: Destination,
        position: Position,
        listed: Listed,
        metrics: ForwardMetrics,
    ) -> None:
        self.destination = destination
        self.position = position
        self.problem: str | None = None
        self.sent_requests = 0
        self.dropped_records = 0
        self._sender: Sender | None = None
        self._enrich: Enrich | None = None
        self._listed = listed
        self._metrics = metrics
        self._signals = [s for s in SIGNALS if s.value in destination.signals]
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._work: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._changed = threading.Condition()
        self._pause_until_s = 0.0
        self._pause_s = _FIRST_PAUSE_S
        self._flying: dict[Signal, collections.deque[_Item]] = {
            signal: collections.deque() for signal in self._signals
        }
        self._next: dict[Signal, Place] = {
            signal: position.of(signal) for signal in self._signals
        }
        # Where the next record begins, so that a growing segment is read once.
        self._ends: dict[Signal, tuple[Place, int]] = {}
        # Until when a record waits for what will be added to it, in Unix nanoseconds.
        self._waits_until_ns: dict[Signal, int] = {}
        self._threads = [
            threading.Thread(target=self._read, daemon=True, name="fleetspan-forward"),
            *(
                threading.Thread(
                    target=self._send_all, daemon=True, name="fleetspan-forward-send"
                )
                for _ in range(_IN_FLIGHT)
            ),
        ]

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.destination.name

    def start(self, sender: Sender, enrich: Enrich | None) -> None:
        """Begin.

        Args:
            sender: Sends a request.
            enrich: Adds to requests of spans; ``None`` to leave them as they are.
        """
        self._sender = sender
        self._enrich = enrich
        for thread in self._threads:
            thread.start()

    def news(self) -> None:
        """Take note that there may be more to send."""
        self._wake.set()

    def wants(self, signal: Signal) -> bool:
        """Tell whether a signal goes there."""
        return signal in self._signals

    def stop(self, timeout_s: float) -> None:
        """End; what is under way may take so many seconds more."""
        self._stopping.set()
        self._wake.set()
        with self._changed:
            self._changed.notify_all()
        for _ in range(_IN_FLIGHT):
            self._work.put(None)
        until_s = time.monotonic() + timeout_s
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(until_s - time.monotonic(), 0.01))
        if self._sender is not None:
            self._sender.close()
            self._write()

    def pass_over(self, signal: Signal, batch_id: str) -> None:
        """Leave out what is left of the segments before one: there is no room for it."""
        start = Place(batch_id, 0)
        with self._changed:
            place = self.position.of(signal)
            if place.batch_id >= batch_id:
                return
            left = 0 if place.records == ALL else -place.records
            for readable in self._listed(signal):
                if place.first_undone <= readable.batch_id < batch_id:
                    left += _count(readable)
            flying = self._flying[signal]
            while flying and flying[0].place.batch_id < batch_id:
                # Who sends it counts it: it may just have arrived.
                item = flying.popleft()
                item.passed_over = True
                left -= 1
            self._dropped(left, "no room")
            if self._next[signal].batch_id < batch_id:
                self._next[signal] = start
            self.position.move(signal, start)
            self._changed.notify_all()

    def lag_s(self) -> float:
        """Return the age of the oldest record that is not there yet."""
        with self._changed:
            oldest = [
                flying[0].received_ns for flying in self._flying.values() if flying
            ]
        return max(time.time() - min(oldest) / 1e9, 0.0) if oldest else 0.0

    def _read(self) -> None:
        """Put records to be sent on their way, in the order of the journal."""
        written_s = time.monotonic()
        while not self._stopping.is_set():
            found = False
            for signal in self._signals:
                try:
                    found = self._read_signal(signal) or found
                except OSError as error:
                    self._trouble(f"the journal cannot be read: {error}")
            if time.monotonic() >= written_s + _WRITE_EVERY_S:
                self._write()
                written_s = time.monotonic()
            if not found:
                self._wake.wait(_IDLE_S)
                self._wake.clear()

    def _read_signal(self, signal: Signal) -> bool:
        if time.time_ns() < self._waits_until_ns.get(signal, 0):
            # Nothing is read again for each record that comes meanwhile.
            return False
        place = self._next[signal]
        for readable in self._listed(signal):
            if readable.batch_id < place.batch_id:
                continue
            done = place.records if readable.batch_id == place.batch_id else 0
            if done == ALL:
                continue
            found = False
            try:
                for item in self._records(readable, done):
                    if self._has_to_wait(item):
                        return False
                    found = True
                    if not self._fly(item):
                        return True
            except FileNotFoundError:
                # It was moved since it was listed: the next list has it.
                return True
            if found or not readable.sealed:
                return found
            self._advance(signal, Place(readable.batch_id, ALL))
        return False

    def _has_to_wait(self, item: _Item) -> bool:
        """Whether what would be added is not known yet."""
        if self._enrich is None or item.signal is not Signal.TRACES:
            return False
        until_ns = item.received_ns + _ENRICHED_AFTER_NS
        self._waits_until_ns[item.signal] = until_ns
        return until_ns > time.time_ns()

    def _records(self, readable: Readable, done: int) -> Iterator[_Item]:
        """Yield the records of a segment after those that are done."""
        place, offset = self._ends.get(readable.signal, (Place("", 0), 0))
        if place != Place(readable.batch_id, done):
            # After a start: they have to be counted.
            offset = 0
        number = done if offset else 0
        data = _bytes_of(readable.path, offset, readable.size_bytes)
        for piece in record.scan(data, record.seed(readable.batch_id)):
            if not isinstance(piece, record.Record):
                continue
            number += 1
            if number > done:
                yield _Item(
                    signal=readable.signal,
                    place=Place(readable.batch_id, number),
                    tenant=piece.tenant,
                    payload=bytes(piece.payload),
                    received_ns=piece.received_unix_nano,
                    rows=piece.rows,
                    end=offset + piece.offset + piece.length,
                )

    def _advance(self, signal: Signal, place: Place) -> None:
        """Go past a segment to which nothing more comes, once all before is done."""
        with self._changed:
            self._next[signal] = place
            if not self._flying[signal]:
                self.position.move(signal, place)

    def _fly(self, item: _Item) -> bool:
        """Hand a record to whoever sends, once there is room; false when stopping."""
        with self._changed:
            self._changed.wait_for(
                lambda: (
                    self._stopping.is_set()
                    or sum(map(len, self._flying.values())) < 2 * _IN_FLIGHT
                )
            )
            expected = self._next[item.signal]
            skipped = item.place.batch_id < expected.batch_id
            if self._stopping.is_set() or skipped:
                return False
            self._flying[item.signal].append(item)
            self._next[item.signal] = item.place
            self._ends[item.signal] = (item.place, item.end)
        self._work.put(item)
        return True

    def _send_all(self) -> None:
        while (item := self._work.get()) is not None:
            if not self._send(item):
                return
            self._done(item)

    def _send(self, item: _Item) -> bool:
        """Send a record until it is taken or refused; false when stopping."""
        tenants = self.destination.tenants
        if tenants and item.tenant not in tenants:
            return True
        payload = item.payload
        if self._enrich is not None and item.signal is Signal.TRACES:
            payload = self._enrich(payload, item.tenant)
        sender = self._sender
        while sender is not None and not self._stopping.is_set():
            if item.passed_over:
                self._dropped(1, "no room")
                return True
            if self._wait_while_paused():
                continue
            sent = sender.send(item.signal, payload)
            if sent.outcome is Outcome.RETRY:
                self._failed(sent)
                continue
            self._taken(item, sent)
            return True
        return False

    def _wait_while_paused(self) -> bool:
        left_s = self._pause_until_s - time.monotonic()
        if left_s > 0:
            self._stopping.wait(min(left_s, 1.0))
        return left_s > 0

    def _failed(self, sent: Sent) -> None:
        """Let everybody wait: what does not take one request takes no other."""
        self._metrics.retries.labels(self.name).inc()
        with self._changed:
            if self._pause_until_s <= time.monotonic():
                pause_s = self._pause_s * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
                wait_s = max(pause_s, sent.wait_s or 0.0)
                self._pause_until_s = time.monotonic() + wait_s
                self._pause_s = min(2 * self._pause_s, _LAST_PAUSE_S)
        self._trouble(sent.message)

    def _taken(self, item: _Item, sent: Sent) -> None:
        self._pause_s = _FIRST_PAUSE_S
        if sent.outcome is Outcome.REFUSED:
            self._trouble(f"a request was refused for good: {sent.message}")
            self._dropped(1, "refused")
            return
        if self.problem is not None:
            logger.info("destination %s takes what is sent again", self.name)
            self.problem = None
        self.sent_requests += 1
        self._metrics.requests.labels(self.name, item.signal.value).inc()
        self._metrics.rows.labels(self.name, item.signal.value).inc(item.rows)
        if sent.rejected:
            self._metrics.rejected.labels(self.name).inc(sent.rejected)

    def _done(self, item: _Item) -> None:
        """Move the position past everything that is done without a gap."""
        with self._changed:
            item.done = True
            flying = self._flying[item.signal]
            while flying and flying[0].done:
                self.position.move(item.signal, flying.popleft().place)
            if not flying:
                self.position.move(item.signal, self._next[item.signal])
            self._changed.notify_all()

    def _trouble(self, message: str) -> None:
        if self.problem is None:
            logger.warning("destination %s: %s", self.name, message)
        self.problem = message

    def _dropped(self, records: int, reason: str) -> None:
        if records > 0:
            self.dropped_records += records
            self._metrics.dropped.labels(self.name, reason).inc(records)

    def _write(self) -> None:
        try:
            self.position.write()
        except OSError as error:
            self._trouble(f"its position cannot be written: {error}")


def _count(readable: Readable) -> int:
    try:
        data = _bytes_of(readable.path, 0, readable.size_bytes)
    except FileNotFoundError:
        return 0  # done, and deleted
    scanned = record.scan(data, record.seed(readable.batch_id))
    return sum(isinstance(piece, record.Record) for piece in scanned)


def _bytes_of(path: Path, start: int, end: int) -> bytes:
    """Durable bytes of a segment.

    Raises:
        OSError: When it cannot be read, moved since it was listed for example.
    """
    if start >= end:
        return b""
    with path.open("rb") as file:
        file.seek(start)
        return file.read(end - start)
