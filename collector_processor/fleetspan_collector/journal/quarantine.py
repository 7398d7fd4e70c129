"""Records that cannot be used, kept with the reason instead of being lost."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fleetspan_collector._signals import Signal
from fleetspan_collector.journal import record
from fleetspan_collector.journal._files import write_synced
from fleetspan_collector.journal.metrics import JournalMetrics
from fleetspan_collector.journal.record import Record
from fleetspan_collector.journal.segment import Segment

_BYTES_SUFFIX: Final = ".record"
_REASON_SUFFIX: Final = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quarantined:
    """One record, or one stretch of damaged bytes, in quarantine.

    Attributes:
        path: The file that holds the bytes.
        signal: The signal of the segment it comes from.
        batch_id: That segment.
        reason: A bounded label, such as ``corrupt``, ``framing`` or ``refused``.
        detail: What is wrong, for a person.
        size_bytes: How long it is.
        rows: How many raw rows it would have become; ``None`` when not known.
        tenant: Whose it is; ``None`` when not known.
        quarantined_at: When it was put there, RFC 3339 in UTC.
    """

    path: Path
    signal: Signal
    batch_id: str
    reason: str
    detail: str
    size_bytes: int
    rows: int | None
    tenant: str | None
    quarantined_at: str


class Quarantine:
    """The folder of records that cannot be used.

    Args:
        directory: The folder; it is created when it is not there.
        max_bytes: Past this size the oldest records are deleted, and counted.
        metrics: Where records that come and go are counted.
    """

    def __init__(
        self, directory: Path, *, max_bytes: int, metrics: JournalMetrics
    ) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._metrics = metrics
        directory.mkdir(parents=True, exist_ok=True)
        for scrap in directory.glob("*.aside"):
            scrap.unlink()
        self._bytes = sum(size for size, _, _ in self._files())

    def keep(
        self,
        data: bytes | memoryview,
        *,
        signal: Signal,
        batch_id: str,
        reason: str,
        detail: str,
        rows: int | None = None,
        tenant: str | None = None,
    ) -> Path:
        """Return once the bytes and the reason are on the disk.

        The same bytes of the same segment are kept once, so a move that a crash
        interrupted may be done again.

        Raises:
            OSError: When they may not be.
        """
        # The content names the file: a repeated move finds its own.
        name = f"{batch_id}-{hashlib.sha256(data).hexdigest()[:16]}"
        path = self._directory / (name + _BYTES_SUFFIX)
        entry = {
            "signal": signal.value,
            "batch_id": batch_id,
            "reason": reason,
            "detail": detail,
            "size_bytes": len(data),
            "rows": rows,
            "tenant": tenant,
            "quarantined_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        new = not path.exists()
        write_synced(path, [data])
        write_synced(path.with_suffix(_REASON_SUFFIX), [json.dumps(entry).encode()])
        if new:
            self._metrics.quarantined_records.labels(signal.value, reason).inc()
            self._bytes += len(data)
        if self._bytes > self._max_bytes:
            self._trim(path)
        return path

    def list(self) -> list[Quarantined]:
        """Return what is in quarantine, oldest first."""
        found = []
        for reason in self._directory.glob("*" + _REASON_SUFFIX):
            path = reason.with_suffix(_BYTES_SUFFIX)
            try:
                entry = json.loads(reason.read_bytes())
                entry["signal"] = Signal(entry["signal"])
                found.append(Quarantined(path=path, **entry))
            except (OSError, ValueError, TypeError, KeyError):
                continue  # a reason that cannot be read; its bytes stay where they are
        return sorted(found, key=lambda item: (item.quarantined_at, item.path))

    def counts(self) -> dict[str, int]:
        """Return how many records are in quarantine, by reason."""
        counts: dict[str, int] = {}
        for item in self.list():
            counts[item.reason] = counts.get(item.reason, 0) + 1
        return counts

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        """Yield size, time and path of every file of bytes."""
        for path in self._directory.glob("*" + _BYTES_SUFFIX):
            stat = path.stat()
            yield stat.st_size, stat.st_mtime_ns, path

    def _trim(self, newest: Path) -> None:
        """Delete the oldest records while there are too many bytes."""
        for size, _, path in sorted(self._files(), key=lambda item: item[1]):
            if self._bytes <= self._max_bytes:
                return
            if path != newest:
                path.unlink(missing_ok=True)
                path.with_suffix(_REASON_SUFFIX).unlink(missing_ok=True)
                self._bytes -= size
                self._metrics.quarantine_deleted_records.inc()


def read_records(segment: Segment) -> list[Record]:
    """Return the records of a sealed segment in order; damage is left out.

    Raises:
        OSError: When the file cannot be read.
    """
    pieces = record.scan(segment.path.read_bytes(), record.seed(segment.batch_id))
    return [piece for piece in pieces if isinstance(piece, Record)]


def write_probe(path: Path, records: Sequence[Record]) -> None:
    """Write records to a file that the engine can read, to try them. Not durable.

    Raises:
        OSError: When it cannot be written.
    """
    with path.open("wb") as file:
        file.writelines(item.framed for item in records)


def without_records(
    segment: Segment,
    refused: Collection[int],
    *,
    quarantine: Quarantine,
    reason: str,
    detail: str,
) -> Segment:
    """Move records of a sealed segment to quarantine and return what is left of it.

    The segment keeps its batch id, but the ordinals of the rows behind the first moved
    record change: nothing of the segment may have been inserted yet. A crash in
    between leaves the segment whole; the move is then done again.

    Args:
        segment: The segment.
        refused: The records to move, by their index in `read_records`.
        quarantine: Where they go.
        reason: A bounded label.
        detail: What is wrong, for a person.

    Returns:
        The segment as it is now; with 0 records it has no file any more.

    Raises:
        OSError: When the disk fails; the segment is then whole.
    """
    records = read_records(segment)
    for index in sorted(refused):
        item = records[index]
        quarantine.keep(
            item.framed,
            signal=segment.signal,
            batch_id=segment.batch_id,
            reason=reason,
            detail=detail,
            rows=item.rows,
            tenant=item.tenant,
        )
    moved = set(refused)
    left = [item for index, item in enumerate(records) if index not in moved]
    if left:
        write_synced(segment.path, [item.framed for item in left])
    else:
        os.unlink(segment.path)
    times = [item.received_unix_nano for item in left or records]
    return replace(
        segment,
        first_received_unix_nano=times[0],
        last_received_unix_nano=times[-1],
        size_bytes=sum(item.length for item in left),
        records=len(left),
        rows=sum(item.rows for item in left),
    )
