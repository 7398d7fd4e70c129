"""How far a destination has come in the journal."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fleetspan_collector._signals import Signal

SIGNALS: Final = (Signal.TRACES, Signal.LOGS, Signal.METRICS)
ALL: Final = 2**53
"""Records done, of a segment that is sealed and done to its end."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place in the segments of one signal.

    Attributes:
        batch_id: The segment; every one before it is done.
        records: How many of its records are done.
    """

    batch_id: str
    records: int

    @property
    def first_undone(self) -> str:
        """What the first batch id that is not done sorts at or after."""
        return self.batch_id + "~" if self.records >= ALL else self.batch_id


class Position:
    """Places of one destination, kept in a file.

    Args:
        path: The file.
        start: Where a destination begins that has no file yet, by signal.
    """

    def __init__(self, path: Path, start: dict[Signal, Place]) -> None:
        self._path = path
        self._lock = threading.Lock()
        kept = self._read()
        self._places = {**start, **(kept or {})}
        self._written: dict[Signal, Place] = kept or {}
        if kept is None:
            self.write()

    def of(self, signal: Signal) -> Place:
        """Return the place in a signal's segments."""
        with self._lock:
            return self._places[signal]

    def move(self, signal: Signal, place: Place) -> None:
        """Go on to a place; it is durable after `write`."""
        with self._lock:
            self._places[signal] = place

    def write(self) -> None:
        """Make the places durable.

        Raises:
            OSError: When the disk fails; they are written next time.
        """
        with self._lock:
            places = dict(self._places)
            if places == self._written:
                return
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft = self._path.with_name(f".{self._path.name}.new")
            document = {
                signal.value: [place.batch_id, place.records]
                for signal, place in places.items()
            }
            with draft.open("w", encoding="ascii") as file:
                json.dump(document, file)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(self._path)
            self._written = places

    def _read(self) -> dict[Signal, Place] | None:
        try:
            document = json.loads(self._path.read_text("ascii"))
            return {
                Signal(name): Place(str(batch_id), int(records))
                for name, (batch_id, records) in document.items()
            }
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, AttributeError) as error:
            # Beginning anew would send everything twice, or leave out what waits.
            raise OSError(f"{self._path} cannot be read: {error}") from error
