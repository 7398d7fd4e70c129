"""Which records were journaled in the last minutes, so that a retry counts once.

The ids of records that stand in a segment are read back from that segment. When a
segment is removed its ids move to the log of this module first, so that remembering
them costs no write on the way to an acknowledgement.
"""

from __future__ import annotations

import logging
import os
import struct
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import google_crc32c

from fleetspan_collector._signals import Signal
from fleetspan_collector.journal._files import sync_data, sync_directory, write_all
from fleetspan_collector.journal.record import RECORD_ID_BYTES
from fleetspan_collector.journal.segment import RecordIds

_log = logging.getLogger("fleetspan")

_SLICES = 15  # parts of the window that are forgotten at once
_BLOCK = struct.Struct("<II")  # checksum of the body, its length
_BODY = struct.Struct("<QB")  # time, length of the signal's name
_TENANT = struct.Struct("<HI")  # length of the name, number of ids
_SUFFIX = ".ids"


class RecentIds:
    """The ids of recent records, in memory. Only the writer thread uses it.

    The window is cut into slices that are forgotten whole, so an id is remembered for
    the window and at most a fifteenth more.

    Args:
        window_s: For how long an id is remembered, in seconds.
        max_ids: How many at most; past it the oldest slice goes early.
    """

    def __init__(self, *, window_s: float, max_ids: int) -> None:
        self._slice_s = window_s / _SLICES
        self._max_ids = max_ids
        self._sets: dict[tuple[Signal, str], deque[tuple[int, set[bytes]]]] = {}
        self._count = 0
        self._oldest: int | None = None
        # The wall clock may jump; an id must not be forgotten because it did.
        self._clock_offset_s = time.time() - time.monotonic()
        self.forgotten_early = 0

    def __len__(self) -> int:
        return self._count

    def holds(self, signal: Signal, tenant: str, record_id: bytes) -> bool:
        """Tell whether a record was journaled within the window."""
        slices = self._sets.get((signal, tenant))
        return slices is not None and any(record_id in ids for _, ids in slices)

    def add(
        self,
        signal: Signal,
        tenant: str,
        record_id: bytes,
        received_unix_nano: int | None = None,
    ) -> None:
        """Remember a record.

        Args:
            signal: What kind of input it is.
            tenant: Whose it is.
            record_id: Its id.
            received_unix_nano: When it was received; ``None`` for now. A time in the
                future, left by a clock that was wrong, counts as now.
        """
        number = self._slice_now()
        if received_unix_nano is not None:
            number = min(number, int(received_unix_nano / 1e9 / self._slice_s))
            if number < self._slice_now() - _SLICES:
                return
        slices = self._sets.setdefault((signal, tenant), deque())
        ids = next((ids for held, ids in reversed(slices) if held == number), None)
        if ids is None:
            ids = set()
            slices.append((number, ids))
        if record_id not in ids:
            ids.add(record_id)
            self._count += 1
        self._oldest = number if self._oldest is None else min(self._oldest, number)

    def expire(self) -> None:
        """Forget what is older than the window, or too much."""
        while self._oldest is not None:
            too_many = self._count > self._max_ids
            if not too_many and self._oldest >= self._slice_now() - _SLICES:
                return
            self._forget(self._oldest, early=too_many)

    def _forget(self, number: int, *, early: bool) -> None:
        for key, slices in list(self._sets.items()):
            kept = deque(item for item in slices if item[0] > number)
            gone = sum(len(ids) for held, ids in slices if held <= number)
            self._count -= gone
            self.forgotten_early += gone if early else 0
            if kept:
                self._sets[key] = kept
            else:
                del self._sets[key]
        held = [item[0] for slices in self._sets.values() for item in slices]
        self._oldest = min(held, default=None)

    def _slice_now(self) -> int:
        return int((time.monotonic() + self._clock_offset_s) / self._slice_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedIds:
    """The ids of one removed segment, as the log holds them.

    Attributes:
        signal: What kind of input it held.
        last_received_unix_nano: When its last record was received.
        ids: The ids of its records, by tenant.
    """

    signal: Signal
    last_received_unix_nano: int
    ids: RecordIds


class IdLog:
    """The ids of removed segments, on disk, for as long as the window.

    Args:
        directory: Where its files are.
        window_s: For how long ids are of use, in seconds.
    """

    def __init__(self, directory: Path, *, window_s: float) -> None:
        self._directory = directory
        self._window_s = window_s
        self._file: Path | None = None
        self._file_until_s = 0.0
        self._newest_s: dict[Path, float] = {}
        directory.mkdir(parents=True, exist_ok=True)

    def load(self) -> Iterator[LoggedIds]:
        """Yield what the log holds, also what is older than the window."""
        for path in sorted(self._directory.glob("*" + _SUFFIX)):
            self._newest_s[path] = 0.0
            for logged in _read_blocks(path):
                newest = logged.last_received_unix_nano / 1e9
                self._newest_s[path] = max(self._newest_s[path], newest)
                yield logged

    def append(self, logged: LoggedIds) -> None:
        """Return once the ids are on the disk.

        Raises:
            OSError: When they may not be.
        """
        path = self._current()
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            write_all(fd, [_encode(logged)])
            sync_data(fd)
        except OSError:
            # What follows a torn block is never read: go on in a new file.
            self._file = None
            raise
        finally:
            os.close(fd)
        if path not in self._newest_s:
            sync_directory(self._directory)
        self._newest_s[path] = max(
            self._newest_s.get(path, 0.0), logged.last_received_unix_nano / 1e9
        )

    def drop_expired(self) -> None:
        """Delete the files that hold nothing of the window."""
        oldest_s = time.time() - self._window_s
        for path, newest_s in list(self._newest_s.items()):
            if newest_s < oldest_s and path != self._file:
                path.unlink(missing_ok=True)
                del self._newest_s[path]

    def _current(self) -> Path:
        now_s = time.monotonic()
        if self._file is None or now_s >= self._file_until_s:
            self._file = self._directory / f"{time.time_ns():020d}{_SUFFIX}"
            self._file_until_s = now_s + self._window_s / 3
            self.drop_expired()
        return self._file


def _encode(logged: LoggedIds) -> bytes:
    name = logged.signal.encode()
    parts = [_BODY.pack(logged.last_received_unix_nano, len(name)), name]
    for tenant, ids in logged.ids.items():
        tenant_bytes = tenant.encode()
        parts += [_TENANT.pack(len(tenant_bytes), len(ids)), tenant_bytes, *ids]
    body = b"".join(parts)
    return _BLOCK.pack(google_crc32c.value(body), len(body)) + body


def _decode(body: bytes) -> LoggedIds:
    received, name_length = _BODY.unpack_from(body)
    at = _BODY.size + name_length
    signal = Signal(body[_BODY.size : at].decode())
    ids: dict[str, list[bytes]] = {}
    while at < len(body):
        tenant_length, count = _TENANT.unpack_from(body, at)
        start = at + _TENANT.size + tenant_length
        at = start + count * RECORD_ID_BYTES
        ids[body[start - tenant_length : start].decode()] = [
            body[place : place + RECORD_ID_BYTES]
            for place in range(start, at, RECORD_ID_BYTES)
        ]
    return LoggedIds(signal=signal, last_received_unix_nano=received, ids=ids)


def _read_blocks(path: Path) -> Iterator[LoggedIds]:
    """Yield the blocks of a file up to the first that is not intact."""
    try:
        data = path.read_bytes()
    except OSError as error:
        _log.warning("journal: cannot read the ids in %s: %s", path, error)
        return
    at = 0
    while at + _BLOCK.size <= len(data):
        crc, length = _BLOCK.unpack_from(data, at)
        body = data[at + _BLOCK.size : at + _BLOCK.size + length]
        if len(body) < length or not body or google_crc32c.value(body) != crc:
            _log.warning("journal: %s is cut short at byte %d", path, at)
            return
        yield _decode(body)
        at += _BLOCK.size + length
