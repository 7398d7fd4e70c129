"""Segments that the store is done with and a destination is not."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetspan_collector._signals import Signal
from fleetspan_collector.forward.position import SIGNALS
from fleetspan_collector.journal import Journal, Segment
from fleetspan_collector.journal.batch_id import is_batch_id

_SUFFIX: Final = ".sealed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Readable:
    """A segment that can be read now.

    Attributes:
        signal: What it holds.
        batch_id: Its name.
        path: Its file; it may be elsewhere by the time that it is opened.
        size_bytes: How much of it is durable.
        sealed: Whether no more comes.
    """

    signal: Signal
    batch_id: str
    path: Path
    size_bytes: int
    sealed: bool


class KeptSegments:
    """Keeps segments out of the way of the store until every destination has them.

    Args:
        directory: Where they are kept; on the file system of the journal.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._kept: dict[Signal, dict[str, tuple[Path, int]]] = {
            signal: self._find(signal) for signal in SIGNALS
        }

    @property
    def newest(self) -> str:
        """The newest batch id kept; ``""`` for none."""
        return max((max(kept, default="") for kept in self._kept.values()), default="")

    def take(self, segment: Segment) -> None:
        """Keep a segment that the journal gives away.

        Raises:
            OSError: When the disk fails; the journal has it still.
        """
        folder = self._directory / segment.signal.value
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / (segment.batch_id + _SUFFIX)
        segment.path.rename(kept)
        _sync(folder)
        with self._lock:
            held = self._kept[segment.signal]
            held[segment.batch_id] = (kept, segment.size_bytes)

    def drop_before(self, signal: Signal, batch_id: str) -> None:
        """Delete segments before one: every destination has them."""
        with self._lock:
            held = self._kept[signal]
            gone = [held.pop(each)[0] for each in sorted(held) if each < batch_id]
        for path in gone:
            path.unlink(missing_ok=True)

    def bytes_from(self, signal: Signal, batch_id: str) -> int:
        """Return how much is kept from a segment on."""
        with self._lock:
            held = self._kept[signal]
            return sum(size for each, (_, size) in held.items() if each >= batch_id)

    def listed(self, signal: Signal) -> list[Readable]:
        """Return what is kept, oldest first."""
        with self._lock:
            return [
                Readable(
                    signal=signal,
                    batch_id=batch_id,
                    path=path,
                    size_bytes=size,
                    sealed=True,
                )
                for batch_id, (path, size) in sorted(self._kept[signal].items())
            ]

    def _find(self, signal: Signal) -> dict[str, tuple[Path, int]]:
        folder = self._directory / signal.value
        if not folder.is_dir():
            return {}
        return {
            path.stem: (path, path.stat().st_size)
            for path in folder.glob("*" + _SUFFIX)
            if is_batch_id(path.stem)
        }


def readable(journal: Journal, kept: KeptSegments, signal: Signal) -> list[Readable]:
    """Return every segment of a signal that there is, oldest first."""
    found: dict[str, Readable] = {}
    # Segments only move on: from open to sealed to kept. Looked for in that order none
    # can slip through, and the later place is the one that holds.
    for held in journal.state().open:
        if held.signal is signal:
            path = journal.path_of(signal, held.batch_id)
            found[held.batch_id] = Readable(
                signal=signal,
                batch_id=held.batch_id,
                path=path,
                size_bytes=held.size_bytes,
                sealed=False,
            )
    for segment in journal.sealed():
        if segment.signal is signal:
            found[segment.batch_id] = Readable(
                signal=signal,
                batch_id=segment.batch_id,
                path=segment.path,
                size_bytes=segment.size_bytes,
                sealed=True,
            )
    for each in kept.listed(signal):
        found[each.batch_id] = each
    return [found[batch_id] for batch_id in sorted(found)]


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
