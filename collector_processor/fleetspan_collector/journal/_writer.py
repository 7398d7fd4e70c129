"""The one thread that writes: everything that waits, one fdatasync, all answers."""

from __future__ import annotations

import asyncio
import concurrent.futures
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from fleetspan_collector._errors import Refused
from fleetspan_collector._signals import Accepted, Signal, Submission
from fleetspan_collector.journal import record
from fleetspan_collector.journal._admission import Admission
from fleetspan_collector.journal._shelf import Shelf
from fleetspan_collector.journal.batch_id import BatchIds
from fleetspan_collector.journal.dedup import RecentIds
from fleetspan_collector.journal.metrics import JournalMetrics
from fleetspan_collector.journal.recovery import FULL_DISK
from fleetspan_collector.journal.segment import OpenSegment, Segment
from fleetspan_collector.journal.settings import JournalSettings

_log = logging.getLogger("fleetspan")

_FRESH: Final = Accepted(duplicate=False)
_DUPLICATE: Final = Accepted(duplicate=True)


@dataclass(slots=True, eq=False)
class Waiting:
    """A request that waits for the disk.

    Attributes:
        submission: The request.
        tenant: Its tenant in UTF-8.
        record_id: 16 bytes that name a retry of it.
        future: Who waits; of ``loop``, or of any thread when there is no loop.
        loop: The event loop that the future belongs to.
    """

    submission: Submission
    tenant: bytes
    record_id: bytes
    future: asyncio.Future[Accepted] | concurrent.futures.Future[Accepted]
    loop: asyncio.AbstractEventLoop | None


@dataclass(slots=True, eq=False)
class SealRequest:
    """Somebody wants segments to be sealed now: one signal's, or all."""

    signal: Signal | None
    future: concurrent.futures.Future[list[Segment]]


class Stop:
    """Nothing comes after this."""


Observer = Callable[[Sequence[Submission], int], None]
"""Takes submissions that are durable, and when they were received, in Unix nanoseconds."""

Outcome = tuple[Waiting, Accepted | tuple[str, str]]
"""An answer, or the reason and the message of a refusal."""


@dataclass(slots=True, eq=False)
class _Batch:
    """What one commit adds to one segment."""

    segment: OpenSegment
    buffers: list[bytes] = field(default_factory=list)
    size_bytes: int = 0
    payload_bytes: int = 0
    rows: int = 0
    requests: list[list[Waiting]] = field(default_factory=list)

    def add(self, same: list[Waiting], received_unix_nano: int) -> None:
        """Encode one record; all of ``same`` wait for it."""
        submission = same[0].submission
        head = record.encode_head(
            crc_seed=self.segment.crc_seed,
            signal=submission.signal,
            tenant=same[0].tenant,
            received_unix_nano=received_unix_nano,
            record_id=same[0].record_id,
            rows=submission.rows,
            payload=submission.payload,
        )
        self.buffers += (head, submission.payload)
        self.size_bytes += len(head) + len(submission.payload)
        self.payload_bytes += len(submission.payload)
        self.rows += submission.rows
        self.requests.append(same)


class Writer(threading.Thread):
    """The writer thread of a journal.

    Args:
        directory: The journal's directory.
        settings: Its settings.
        shelf: Where the segments are noted.
        recent: Which records were journaled lately.
        batch_ids: Where names of new segments come from.
        admission: Whom to tell that requests no longer wait.
        metrics: Where it counts.
        observer: Told of what is durable now; what it raises is logged once.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: JournalSettings,
        shelf: Shelf,
        recent: RecentIds,
        batch_ids: BatchIds,
        admission: Admission,
        metrics: JournalMetrics,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(name="fleetspan-journal", daemon=True)
        self._observer = observer
        self.queue: queue.SimpleQueue[Waiting | SealRequest | Stop] = (
            queue.SimpleQueue()
        )
        self._directory = directory
        self._settings = settings
        self._shelf = shelf
        self._recent = recent
        self._batch_ids = batch_ids
        self._admission = admission
        self._metrics = metrics
        self._open: dict[Signal, OpenSegment] = {}
        self._full: list[OpenSegment] = []
        self._poisoned: list[OpenSegment] = []

    def run(self) -> None:
        """Serve until a `Stop` comes."""
        while self._round():
            pass
        self._seal(None)

    def _round(self) -> bool:
        """Serve everything that waits; return whether more may come."""
        # A call of its own, so that a payload does not stay in memory until the next.
        items = [self.queue.get()]
        while not self.queue.empty():
            items.append(self.queue.get())
        group = [item for item in items if isinstance(item, Waiting)]
        if group:
            self._serve(group)
        for item in items:
            if isinstance(item, SealRequest):
                item.future.set_result(self._seal(item.signal))
        return not any(isinstance(item, Stop) for item in items)

    def _serve(self, group: list[Waiting]) -> None:
        try:
            outcomes = self._commit(group)
        except Exception:  # noqa: BLE001 - whatever it is, the clients get an answer
            # A fault of ours must not leave clients without an answer, nor let
            # bytes that nobody accounted for be acknowledged with the next group.
            _log.exception("journal: the writer failed")
            self._poisoned += self._open.values()
            self._open.clear()
            outcomes = [
                (waiting, ("journal_error", "internal fault")) for waiting in group
            ]
        self._answer(outcomes)
        self._finish_segments()

    def _commit(self, group: list[Waiting]) -> list[Outcome]:
        """Make a group durable and return every request's answer."""
        self._recent.expire()
        fresh: dict[Signal, dict[tuple[str, bytes], list[Waiting]]] = {}
        outcomes: list[Outcome] = []
        for waiting in group:
            submission = waiting.submission
            signal, tenant = submission.signal, submission.tenant
            if self._recent.holds(signal, tenant, waiting.record_id):
                outcomes.append((waiting, _DUPLICATE))
                continue
            key = (tenant, waiting.record_id)
            fresh.setdefault(signal, {}).setdefault(key, []).append(waiting)
        received_unix_nano = time.time_ns()
        for signal, requests in fresh.items():
            outcomes += self._store(signal, list(requests.values()), received_unix_nano)
        self._metrics.group_size.observe(len(group))
        return outcomes

    def _store(
        self, signal: Signal, requests: list[list[Waiting]], received_unix_nano: int
    ) -> list[Outcome]:
        """Write requests of one signal, over as many segments as they fill."""
        outcomes: list[Outcome] = []
        start = 0
        while start < len(requests):
            try:
                batch = _Batch(self._segment(signal))
            except OSError as error:
                return outcomes + self._refuse(requests[start:], error)
            room = self._settings.segment_bytes - batch.segment.written_bytes
            for same in requests[start:]:
                batch.add(same, received_unix_nano)
                if batch.size_bytes >= room:
                    break
            start += len(batch.requests)
            outcomes += self._store_batch(batch, received_unix_nano)
        return outcomes

    def _store_batch(self, batch: _Batch, received_unix_nano: int) -> list[Outcome]:
        segment = batch.segment
        signal = segment.state.signal
        try:
            segment.write(batch.buffers)
            started_s = time.perf_counter()
            segment.sync()
        except OSError as error:
            del self._open[signal]
            self._poisoned.append(segment)
            self._metrics.poisoned.inc()
            return self._refuse(batch.requests, error)
        self._metrics.fsync_seconds.observe(time.perf_counter() - started_s)
        segment.commit(
            records=len(batch.requests),
            rows=batch.rows,
            received_unix_nano=received_unix_nano,
        )
        self._shelf.grow(segment.state)
        if segment.written_bytes >= self._settings.segment_bytes:
            self._full.append(self._open.pop(signal))
        self._count(signal, batch)
        self._observe(batch, received_unix_nano)
        outcomes: list[Outcome] = []
        for same in batch.requests:
            tenant, record_id = same[0].submission.tenant, same[0].record_id
            segment.ids.setdefault(tenant, []).append(record_id)
            self._recent.add(signal, tenant, record_id)
            outcomes.append((same[0], _FRESH))
            outcomes += [(waiting, _DUPLICATE) for waiting in same[1:]]
        return outcomes

    def _observe(self, batch: _Batch, received_unix_nano: int) -> None:
        """Tell of what is durable, also of what nobody is told of yet."""
        if self._observer is None:
            return
        try:
            self._observer(
                [same[0].submission for same in batch.requests], received_unix_nano
            )
        except Exception:  # noqa: BLE001 - whatever it is
            # It is never a reason not to acknowledge what is on the disk.
            _log.exception("the journal's observer failed, and is told nothing more")
            self._observer = None

    def _segment(self, signal: Signal) -> OpenSegment:
        segment = self._open.get(signal)
        if segment is None:
            segment = OpenSegment(
                self._directory / signal.value, signal, self._batch_ids.next()
            )
            self._open[signal] = segment
        return segment

    def _refuse(self, requests: list[list[Waiting]], error: OSError) -> list[Outcome]:
        full = error.errno in FULL_DISK
        if full:
            with self._admission.lock:
                self._admission.disk_full()
        _log.error("journal: cannot write: %s", error)
        refusal = ("disk_full" if full else "journal_error", f"cannot write: {error}")
        return [(waiting, refusal) for same in requests for waiting in same]

    def _count(self, signal: Signal, batch: _Batch) -> None:
        metrics, label = self._metrics, signal.value
        metrics.records.labels(label).inc(len(batch.requests))
        metrics.rows.labels(label).inc(batch.rows)
        metrics.payload_bytes.labels(label).inc(batch.payload_bytes)

    def _answer(self, outcomes: list[Outcome]) -> None:
        """Answer everybody, waking each event loop once."""
        by_loop: dict[asyncio.AbstractEventLoop | None, list[Outcome]] = {}
        for outcome in outcomes:
            waiting, answer = outcome
            by_loop.setdefault(waiting.loop, []).append(outcome)
            if answer is _DUPLICATE:
                label = waiting.submission.signal.value
                self._metrics.duplicates.labels(label).inc()
            elif isinstance(answer, tuple):
                self._metrics.refused.labels(answer[0]).inc()
        with self._admission.lock:
            payload_bytes = sum(len(item.submission.payload) for item, _ in outcomes)
            self._admission.leave(payload_bytes, len(outcomes))
        for loop, answers in by_loop.items():
            if loop is None:
                _settle(answers)
                continue
            try:
                loop.call_soon_threadsafe(_settle, answers)
            except RuntimeError:
                continue  # the loop is closed: nobody waits any more

    def _seal(self, signal: Signal | None) -> list[Segment]:
        for held in list(self._open):
            if signal in (None, held):
                self._full.append(self._open.pop(held))
        return self._finish_segments()

    def _finish_segments(self) -> list[Segment]:
        """Seal what is full or poisoned; what the disk refuses is tried again."""
        sealed: list[Segment] = []
        for segments, finish in (
            (self._full, OpenSegment.seal),
            (self._poisoned, OpenSegment.salvage),
        ):
            for segment in list(segments):
                try:
                    done = finish(segment)
                except OSError as error:
                    _log.error("journal: cannot seal %s: %s", segment.state.path, error)
                    continue
                segments.remove(segment)
                if done is not None:
                    self._shelf.seal(done, segment.ids)
                    sealed.append(done)
        return sealed


def _settle(outcomes: list[Outcome]) -> None:
    for waiting, answer in outcomes:
        if waiting.future.done():
            continue  # who waited has gone away
        if isinstance(answer, tuple):
            waiting.future.set_exception(Refused(*answer, retry_after_s=1.0))
        else:
            waiting.future.set_result(answer)
