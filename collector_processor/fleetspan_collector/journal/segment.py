"""Segments: files of records, open while they are written and sealed afterwards."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from fleetspan_collector._signals import Signal
from fleetspan_collector.journal import record
from fleetspan_collector.journal._files import sync_data, sync_directory, write_all

OPEN_SUFFIX: Final = ".open"
SEALED_SUFFIX: Final = ".sealed"

RecordIds = dict[str, list[bytes]]
"""The ids of a segment's records, by tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A sealed segment: its file changes no more, unless records are quarantined.

    Attributes:
        signal: What kind of input it holds.
        batch_id: Its name: 26 characters that sort by the time of creation.
        path: Its file, readable by the engine.
        size_bytes: How long the file is.
        records: How many records it holds.
        rows: How many raw rows they become.
        first_received_unix_nano: When its first record was received.
        last_received_unix_nano: When its last record was received.
    """

    signal: Signal
    batch_id: str
    path: Path
    size_bytes: int
    records: int
    rows: int
    first_received_unix_nano: int
    last_received_unix_nano: int


class OpenSegment:
    """A segment that is being written. Only the writer thread uses it.

    Args:
        directory: The folder of the signal.
        signal: What kind of input it will hold.
        batch_id: Its name.

    Raises:
        OSError: When the file cannot be created durably.
    """

    def __init__(self, directory: Path, signal: Signal, batch_id: str) -> None:
        self.crc_seed = record.seed(batch_id)
        self.written_bytes = 0
        self.opened_monotonic_s = time.monotonic()
        self.ids: RecordIds = {}
        self.state = Segment(
            signal=signal,
            batch_id=batch_id,
            path=directory / (batch_id + OPEN_SUFFIX),
            size_bytes=0,
            records=0,
            rows=0,
            first_received_unix_nano=0,
            last_received_unix_nano=0,
        )
        path = self.state.path
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            sync_directory(directory)
        except OSError:
            self._close()
            path.unlink(missing_ok=True)
            raise

    def write(self, buffers: Sequence[bytes]) -> None:
        """Append bytes; they are not durable, nor part of `state`, before `sync`.

        Raises:
            OSError: When the disk did not take them all; call `salvage` then.
        """
        write_all(self._fd, buffers)
        self.written_bytes += sum(map(len, buffers))

    def sync(self) -> None:
        """Return once everything written is on the disk.

        Raises:
            OSError: When it may not be; call `salvage` then, never `sync` again: a
                second call may report success for pages that the first one lost.
        """
        sync_data(self._fd)

    def commit(self, *, records: int, rows: int, received_unix_nano: int) -> None:
        """Count what was synced as part of the segment."""
        state = self.state
        self.state = replace(
            state,
            size_bytes=self.written_bytes,
            records=state.records + records,
            rows=state.rows + rows,
            first_received_unix_nano=state.first_received_unix_nano
            or received_unix_nano,
            last_received_unix_nano=received_unix_nano,
        )

    def seal(self) -> Segment | None:
        """Close the file and give it its final name; ``None`` when it held nothing.

        Raises:
            OSError: When the file cannot be renamed durably; call again later.
        """
        self._close()
        path = self.state.path
        if not self.state.records:
            path.unlink(missing_ok=True)
            return None
        sealed = path.with_suffix(SEALED_SUFFIX)
        if path.exists():
            path.rename(sealed)
        sync_directory(path.parent)
        return replace(self.state, path=sealed)

    def salvage(self) -> Segment | None:
        """Cut off what was not acknowledged after a failure, then seal the rest.

        Raises:
            OSError: When the file cannot be cut; call again later.
        """
        self._close()
        path = self.state.path
        if self.state.records and path.exists():
            fd = os.open(path, os.O_WRONLY)
            try:
                os.ftruncate(fd, self.state.size_bytes)
                sync_data(fd)
            finally:
                os.close(fd)
        return self.seal()

    def _close(self) -> None:
        if self._fd >= 0:
            fd, self._fd = self._fd, -1
            os.close(fd)
