"""Opening a journal after any kind of end: what is intact is kept, the rest counted."""

from __future__ import annotations

import errno
import logging
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from fleetspan_collector._signals import Signal
from fleetspan_collector.journal import record
from fleetspan_collector.journal._files import (
    Reserve,
    sync_data,
    sync_directory,
    write_synced,
)
from fleetspan_collector.journal.batch_id import is_batch_id
from fleetspan_collector.journal.dedup import IdLog, RecentIds
from fleetspan_collector.journal.metrics import JournalMetrics
from fleetspan_collector.journal.quarantine import Quarantine
from fleetspan_collector.journal.record import Damage, Record
from fleetspan_collector.journal.segment import (
    OPEN_SUFFIX,
    SEALED_SUFFIX,
    RecordIds,
    Segment,
)

_log = logging.getLogger("fleetspan")

FULL_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT})


@dataclass(slots=True, kw_only=True)
class RecoveryReport:
    """What was found when the journal was opened.

    Attributes:
        segments: Segments that hold records.
        records: Intact records in them.
        rows: Rows of these records.
        bytes_cut: Bytes of torn ends, which nobody had been told were safe.
        damaged: Stretches of damage inside segments, now in quarantine.
        damaged_bytes: How long they are together.
        duplicates: Records left out because they had been journaled before.
        failed: Files that could not be read or mended, and why; left as they are.
    """

    segments: int = 0
    records: int = 0
    rows: int = 0
    bytes_cut: int = 0
    damaged: int = 0
    damaged_bytes: int = 0
    duplicates: int = 0
    failed: list[tuple[Path, str]] = field(default_factory=list)


@dataclass(slots=True, kw_only=True)
class Recovered:
    """The state that a journal starts from.

    Attributes:
        report: What was found.
        segments: All segments, sealed, oldest first, and the ids of their records.
        newest_batch_id: The newest batch id on disk, ``""`` when there is none.
    """

    report: RecoveryReport = field(default_factory=RecoveryReport)
    segments: list[tuple[Segment, RecordIds]] = field(default_factory=list)
    newest_batch_id: str = ""


class Recovery:
    """One pass over the files of a journal that nobody else uses.

    It may be cut short at any point and be done again.

    Args:
        directory: The journal's directory.
        window_s: For how long an id is remembered, in seconds.
        recent: Filled with the ids that are still of use.
        log: The ids of removed segments.
        quarantine: Where damage goes.
        reserve: Space to use when the disk is full.
        metrics: Where it counts.
    """

    def __init__(
        self,
        directory: Path,
        *,
        window_s: float,
        recent: RecentIds,
        log: IdLog,
        quarantine: Quarantine,
        reserve: Reserve,
        metrics: JournalMetrics,
    ) -> None:
        self._directory = directory
        self._window_ns = int(window_s * 1e9)
        self._recent = recent
        self._log = log
        self._quarantine = quarantine
        self._reserve = reserve
        self._metrics = metrics
        self._result = Recovered()
        self._seen: dict[tuple[Signal, str, bytes], int] = {}

    def run(self) -> Recovered:
        """Mend every segment, seal it, and return what there is."""
        for logged in self._log.load():
            for tenant, ids in logged.ids.items():
                for record_id in ids:
                    self._remember(
                        logged.signal, tenant, record_id, logged.last_received_unix_nano
                    )
        sealed = self._find(SEALED_SUFFIX)
        for signal, path in [*sealed, *self._find(OPEN_SUFFIX)]:
            try:
                self._with_reserve(partial(self._restore, signal, path))
            except OSError as error:
                _log.error("journal: cannot recover %s: %s", path, error)
                self._result.report.failed.append((path, str(error)))
        self._result.segments.sort(key=lambda item: item[0].batch_id)
        self._recent.expire()
        self._log.drop_expired()
        return self._result

    def _find(self, suffix: str) -> list[tuple[Signal, Path]]:
        """Return the segment files of a kind, oldest first, and drop scrap."""
        found = []
        for signal in Signal:
            directory = self._directory / signal.value
            directory.mkdir(parents=True, exist_ok=True)
            for scrap in directory.glob("*.aside"):
                scrap.unlink()
            for path in directory.glob("*" + suffix):
                if is_batch_id(path.stem):
                    found.append((signal, path))
                    newest = max(self._result.newest_batch_id, path.stem)
                    self._result.newest_batch_id = newest
        return sorted(found, key=lambda item: item[1].stem)

    def _with_reserve(self, work: Callable[[], None]) -> None:
        try:
            work()
        except OSError as error:
            if error.errno not in FULL_DISK:
                raise
            self._reserve.release()
            work()

    def _restore(self, signal: Signal, path: Path) -> None:
        """Mend one segment, seal it and take it in."""
        batch_id = path.stem
        is_open = path.suffix == OPEN_SUFFIX
        pieces = list(record.scan(path.read_bytes(), record.seed(batch_id)))
        records = [piece for piece in pieces if isinstance(piece, Record)]
        # Only a segment that nobody has read yet may lose its duplicates: the rows of
        # a sealed one may be in the store already, and are counted there.
        kept = self._without_duplicates(records) if is_open else records
        damage = [piece for piece in pieces if isinstance(piece, Damage)]
        self._mend(signal, path, kept, records, damage)
        if not kept:
            path.unlink()
            sync_directory(path.parent)
            return
        if is_open:
            path = _seal(path)
        self._take_in(signal, batch_id, path, kept)

    def _mend(
        self,
        signal: Signal,
        path: Path,
        kept: list[Record],
        records: list[Record],
        damage: list[Damage],
    ) -> None:
        """Make the file hold exactly the records that are kept, durably."""
        report = self._result.report
        torn = sum(piece.length for piece in damage if piece.kind == "torn")
        inside = [piece for piece in damage if piece.kind != "torn"]
        data = path.read_bytes() if inside else b""
        for piece in inside:
            self._quarantine.keep(
                data[piece.offset : piece.offset + piece.length],
                signal=signal,
                batch_id=path.stem,
                reason=piece.kind,
                detail=f"{piece.length} damaged bytes at byte {piece.offset}",
            )
        if inside or len(kept) < len(records):
            if kept:
                write_synced(path, [item.framed for item in kept])
        else:
            _cut(path, sum(item.length for item in kept))
        report.bytes_cut += torn
        self._metrics.cut_bytes.inc(torn)
        report.damaged += len(inside)
        report.damaged_bytes += sum(piece.length for piece in inside)
        report.duplicates += len(records) - len(kept)

    def _without_duplicates(self, records: list[Record]) -> list[Record]:
        return [
            item
            for item in records
            if abs(
                item.received_unix_nano
                - self._seen.get((item.signal, item.tenant, item.record_id), -(1 << 63))
            )
            > self._window_ns
        ]

    def _take_in(
        self, signal: Signal, batch_id: str, path: Path, records: list[Record]
    ) -> None:
        ids: RecordIds = {}
        for item in records:
            ids.setdefault(item.tenant, []).append(item.record_id)
            self._remember(signal, item.tenant, item.record_id, item.received_unix_nano)
        segment = Segment(
            signal=signal,
            batch_id=batch_id,
            path=path,
            size_bytes=sum(item.length for item in records),
            records=len(records),
            rows=sum(item.rows for item in records),
            first_received_unix_nano=records[0].received_unix_nano,
            last_received_unix_nano=records[-1].received_unix_nano,
        )
        self._result.segments.append((segment, ids))
        report = self._result.report
        report.segments += 1
        report.records += segment.records
        report.rows += segment.rows
        self._metrics.recovered_records.labels(signal.value).inc(segment.records)

    def _remember(
        self, signal: Signal, tenant: str, record_id: bytes, received_unix_nano: int
    ) -> None:
        self._seen[signal, tenant, record_id] = received_unix_nano
        self._recent.add(signal, tenant, record_id, received_unix_nano)


def _cut(path: Path, size_bytes: int) -> None:
    """Make a file no longer than it should be, and durable."""
    fd = os.open(path, os.O_RDWR)
    try:
        if os.fstat(fd).st_size != size_bytes:
            os.ftruncate(fd, size_bytes)
        # What a killed process wrote may be in memory only.
        sync_data(fd)
    finally:
        os.close(fd)


def _seal(path: Path) -> Path:
    sealed = path.with_suffix(SEALED_SUFFIX)
    if sealed.exists():
        raise FileExistsError(errno.EEXIST, "is there already", str(sealed))
    path.rename(sealed)
    sync_directory(path.parent)
    return sealed
