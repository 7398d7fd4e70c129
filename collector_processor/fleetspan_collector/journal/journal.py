"""The journal: what it acknowledges is on the disk."""

from __future__ import annotations

import asyncio
import concurrent.futures
import os
import threading
import time
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from fleetspan_collector._signals import Accepted, Signal, Submission
from fleetspan_collector.journal._admission import Admission
from fleetspan_collector.journal._files import Reserve, sync_directory
from fleetspan_collector.journal._shelf import JournalState, Shelf
from fleetspan_collector.journal._writer import (
    Observer,
    SealRequest,
    Stop,
    Waiting,
    Writer,
)
from fleetspan_collector.journal.batch_id import BatchIds
from fleetspan_collector.journal.dedup import IdLog, LoggedIds, RecentIds
from fleetspan_collector.journal.metrics import JournalMetrics
from fleetspan_collector.journal.quarantine import Quarantine, without_records
from fleetspan_collector.journal.record import RECORD_ID_BYTES
from fleetspan_collector.journal.recovery import FULL_DISK, Recovery, RecoveryReport
from fleetspan_collector.journal.segment import OPEN_SUFFIX, Segment
from fleetspan_collector.journal.settings import JournalSettings

_MAX_TENANT_BYTES: Final = 1024
_HASHED: Final = frozenset({Signal.TRACES, Signal.LOGS, Signal.METRICS})


class Journal:
    """An append-only, durable queue of requests. The `Sink` of a running collector.

    Opening recovers what is there; nobody else may use the directory (`DataLock`).
    Every method may be called from any thread.

    Args:
        directory: The journal's own directory; it is created when it is not there.
        settings: Its bounds; ``None`` for the defaults.
        metrics: Where it counts; ``None`` for a registry of its own.
        observer: Told, in the writer's thread, of what is durable now.
        keeper: Asked to take a segment that would be deleted; says whether it did.
        refusal: Says why nothing more may come in; ``None`` while there is room.
        after: New segments are named after this batch id, too.

    Attributes:
        recovery: What was found when it was opened.
        quarantine: The records that could not be used.

    Raises:
        OSError: When the directory cannot be used.
    """

    def __init__(
        self,
        directory: Path,
        *,
        settings: JournalSettings | None = None,
        metrics: JournalMetrics | None = None,
        observer: Observer | None = None,
        keeper: Callable[[Segment], bool] | None = None,
        refusal: Callable[[], str | None] | None = None,
        after: str = "",
    ) -> None:
        self._keeper = keeper
        self._settings = settings = settings or JournalSettings()
        self._metrics = metrics = metrics or JournalMetrics()
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        self.quarantine = Quarantine(
            directory / "quarantine",
            max_bytes=settings.max_quarantine_bytes,
            metrics=metrics,
        )
        self._reserve = Reserve(directory / "reserve", settings.reserve_bytes)
        self._log = IdLog(directory / "dedup", window_s=settings.dedup_window_s)
        self._log_lock = threading.Lock()
        self._shelf = Shelf(metrics)
        batch_ids = BatchIds(max(self._recover(directory), after))
        self._admission = Admission(
            directory,
            settings=settings,
            shelf=self._shelf,
            metrics=metrics,
            refusal=refusal,
        )
        self._writer = Writer(
            directory,
            settings=settings,
            shelf=self._shelf,
            recent=self._recent,
            batch_ids=batch_ids,
            admission=self._admission,
            metrics=metrics,
            observer=observer,
        )
        self._writer.start()

    def _recover(self, directory: Path) -> str:
        """Mend what is there and return the newest batch id."""
        settings = self._settings
        self._recent = RecentIds(
            window_s=settings.dedup_window_s, max_ids=settings.max_dedup_ids
        )
        recovered = Recovery(
            directory,
            window_s=settings.dedup_window_s,
            recent=self._recent,
            log=self._log,
            quarantine=self.quarantine,
            reserve=self._reserve,
            metrics=self._metrics,
        ).run()
        for segment, ids in recovered.segments:
            self._shelf.seal(segment, ids)
        self._reserve.hold()
        # Else a power cut could take the folders, and every durable file in them.
        sync_directory(directory)
        sync_directory(directory.parent)
        self.recovery: RecoveryReport = recovered.report
        return recovered.newest_batch_id

    async def accept(self, submission: Submission) -> Accepted:
        """Return once the submission is durable.

        A caller that is cancelled does not take its submission back.

        Raises:
            Refused: When it cannot be accepted now. Reasons: ``journal_full``,
                ``disk_floor``, ``disk_full``, ``queue_full``, ``journal_error`` and
                ``closed``.
            ValueError: When the tenant, the rows or the record id cannot be written.
            TypeError: When the payload is not ``bytes``.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Accepted] = loop.create_future()
        self._enter(submission, future, loop)
        return await future

    def append(self, submission: Submission) -> Accepted:
        """Do what `accept` does, for threads without an event loop."""
        future: concurrent.futures.Future[Accepted] = concurrent.futures.Future()
        self._enter(submission, future, None)
        return future.result()

    def seal(self, signal: Signal | None = None) -> list[Segment]:
        """Seal the open segments of one signal, or of all, and return them.

        Everything that was acknowledged before the call is in a sealed segment after
        it, or was in one already.
        """
        future: concurrent.futures.Future[list[Segment]] = concurrent.futures.Future()
        with self._admission.lock:
            if self._admission.closed:
                return []
            self._writer.queue.put(SealRequest(signal, future))
        return future.result()

    def sealed(self) -> list[Segment]:
        """Return the sealed segments that are not removed, oldest first."""
        return self._shelf.sealed()

    def remove(self, segment: Segment) -> None:
        """Delete a sealed segment that is no longer needed.

        Its record ids are kept, durably, for the rest of the window. A segment may
        come back after a power cut: ask the store before inserting it again.

        Raises:
            OSError: When the disk fails; the segment is then still there.
        """
        ids = self._shelf.ids(segment.batch_id)
        if ids is None:
            return
        logged = LoggedIds(
            signal=segment.signal,
            last_received_unix_nano=segment.last_received_unix_nano,
            ids=ids,
        )
        age_s = time.time() - segment.last_received_unix_nano / 1e9
        with self._log_lock:
            if age_s <= self._settings.dedup_window_s:
                self._append_log(logged)
            if self._keeper is None or not self._keeper(segment):
                segment.path.unlink(missing_ok=True)
            self._shelf.remove(segment.batch_id)
            self._reserve.hold()

    def set_aside(
        self, segment: Segment, refused: Collection[int], *, reason: str, detail: str
    ) -> Segment:
        """Move records of a sealed segment to quarantine; see `without_records`.

        Returns:
            The segment as it is now; remove it as any other, even with 0 records.

        Raises:
            OSError: When the disk fails; the segment is then whole.
        """
        left = without_records(
            segment, refused, quarantine=self.quarantine, reason=reason, detail=detail
        )
        self._shelf.replace(left)
        return left

    def path_of(self, signal: Signal, batch_id: str) -> Path:
        """Return where an open segment is; it moves when it is sealed."""
        return self._directory / signal.value / (batch_id + OPEN_SUFFIX)

    def state(self) -> JournalState:
        """Return what a scheduler needs to know."""
        return self._shelf.state()

    def wait_for_change(self, seen: int, timeout_s: float | None = None) -> int:
        """Sleep until there is news, and return the version of the state.

        Args:
            seen: The version that the caller knows (`JournalState.version`).
            timeout_s: How long to wait at most, in seconds; ``None`` for ever.
        """
        return self._shelf.wait_for_change(seen, timeout_s)

    def position(self) -> dict[Signal, str]:
        """Return where the journal stands: for each signal its newest batch id."""
        return self._shelf.position()

    def passed(self, position: Mapping[Signal, str]) -> bool:
        """Tell whether everything acknowledged before `position` has been removed."""
        return self._shelf.passed(position)

    def close(self) -> None:
        """Write what waits, seal everything and stop; a second call does nothing."""
        with self._admission.lock:
            self._admission.close()
            self._writer.queue.put(Stop())
        self._writer.join()
        self._shelf.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def _enter(
        self,
        submission: Submission,
        future: asyncio.Future[Accepted] | concurrent.futures.Future[Accepted],
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        # Checked here: in the writer one bad submission would fail its whole group.
        tenant = _checked_tenant(submission)
        waiting = Waiting(submission, tenant, _record_id(submission), future, loop)
        with self._admission.lock:
            self._admission.enter(len(submission.payload))
            self._writer.queue.put(waiting)

    def _append_log(self, logged: LoggedIds) -> None:
        try:
            self._log.append(logged)
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            self._reserve.release()
            self._log.append(logged)


def _checked_tenant(submission: Submission) -> bytes:
    """Return the tenant in UTF-8.

    Raises:
        ValueError: When it or the number of rows cannot be written.
        TypeError: When the payload is not ``bytes``, which the checksum needs.
    """
    if type(submission.payload) is not bytes:
        raise TypeError(f"payload must be bytes, got {type(submission.payload)}")
    tenant = submission.tenant.encode()
    if len(tenant) > _MAX_TENANT_BYTES:
        raise ValueError(
            f"tenant must be at most {_MAX_TENANT_BYTES} bytes, got {len(tenant)}"
        )
    if not 0 <= submission.rows < 1 << 32:
        raise ValueError(f"rows must be from 0 to 2^32 - 1, got {submission.rows}")
    return tenant


def _record_id(submission: Submission) -> bytes:
    """Return the 16 bytes that name a retry of the submission.

    Raises:
        ValueError: When it brings an id of another length.
    """
    given = submission.record_id
    if given is not None:
        if len(given) != RECORD_ID_BYTES:
            raise ValueError(f"record_id must be 16 bytes, got {len(given)}")
        return given
    if submission.signal in _HASHED:
        # Half of SHA-256 resists collisions made on purpose and, with the processor's
        # help, is more than twice as fast as BLAKE2.
        return sha256(submission.payload).digest()[:RECORD_ID_BYTES]
    # Genuine hooks repeat byte for byte: without a delivery id each is a new one.
    return os.urandom(RECORD_ID_BYTES)
