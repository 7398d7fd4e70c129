"""Reading runs: what the API and the command need of a store, and ids cut short."""

from __future__ import annotations

import difflib
from datetime import datetime
from typing import Final, Protocol

from fleetspan_collector._errors import UsageError
from fleetspan_collector.store.rows import RunDetail, RunRow

_SHOWN: Final = 5
_GUESSED_FROM: Final = 200


class Reader(Protocol):
    """Reads the canonical tables; `fleetspan_collector.store.reader.StoreReader` is one.

    Methods block; they are called from threads, several at once.
    """

    def runs(self, *, since: datetime | None, limit: int | None) -> list[RunRow]:
        """Return runs that were active at or after ``since``, latest start first."""
        ...

    def find_runs(self, prefix: str) -> list[str]:
        """Return the ids that begin with a prefix, the same ones in the same order."""
        ...

    def run(self, run_id: str) -> RunDetail | None:
        """Return one run by its whole id; ``None`` when there is none."""
        ...

    def sql(self, query: str, output_format: str) -> bytes:
        """Run one read-only statement and return its result in a ClickHouse format.

        Raises:
            CollectorError: When the engine refuses it.
        """
        ...


class ItemNotFoundError(UsageError):
    """The run has no such row."""

    def __init__(self, kind: str, item_id: str) -> None:
        super().__init__(
            f"the run has no {kind} {item_id[:80]!r}",
            because="no row of it has this id",
            suggestion="GET /api/v1/runs/ID/timeline for the rows there are",
        )


class RunNotFoundError(UsageError):
    """No run has this id, or an id that begins so."""


class RunAmbiguousError(UsageError):
    """Several runs have ids that begin so."""


def find_run(reader: Reader, prefix: str) -> RunDetail:
    """Return the run of an id, or of the only id that begins so.

    Raises:
        RunNotFoundError: When no run has such an id.
        RunAmbiguousError: When several have, and none is exactly it.
    """
    run = reader.run(prefix) if prefix else None
    if run is not None:
        return run
    ids = reader.find_runs(prefix) if prefix else []
    if len(ids) > 1:
        shown = ", ".join(ids[:_SHOWN]) + (", …" if len(ids) > _SHOWN else "")
        raise RunAmbiguousError(
            f"run {prefix!r} is ambiguous",
            because=f"{len(ids)} runs begin so: {shown}",
            suggestion=f"fleetspan show {ids[0]}",
        )
    run = reader.run(ids[0]) if ids else None
    if run is not None:
        return run
    known = [row["run_id"] for row in reader.runs(since=None, limit=_GUESSED_FROM)]
    close = difflib.get_close_matches(prefix, known, n=1, cutoff=0.5)
    raise RunNotFoundError(
        f"there is no run {prefix!r}",
        because="no run has an id that begins so",
        suggestion=f"did you mean fleetspan show {close[0]}?"
        if close
        else "fleetspan ls",
    )
