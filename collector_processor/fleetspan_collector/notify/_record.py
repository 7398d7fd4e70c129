"""The record of deliveries in the store: what was told, and what is still to be told."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.notify._attempt import Attempt
from fleetspan_collector.notify._destination import Wanted
from fleetspan_collector.notify._notice import Key, Notice, findings_of, summaries_of
from fleetspan_collector.notify.batch import plain_rows
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

_ROWS: Final = pa.schema(
    [
        ("Destination", pa.string()),
        ("Kind", pa.int8()),
        ("Subject", pa.string()),
        ("Level", pa.uint64()),
        ("Tenant", pa.string()),
        ("RunId", pa.string()),
        ("Detector", pa.string()),
        ("DeliveryId", pa.string()),
        ("Attempt", pa.uint16()),
        ("Items", pa.uint32()),
        ("At", pa.timestamp("ms")),
        ("Outcome", pa.string()),
        ("Code", pa.int32()),
        ("DurationMs", pa.float64()),
        ("Answer", pa.string()),
    ]
)
_KINDS: Final = {"finding": 0, "run": 1, "batch": 2}
_MOST_ATTEMPTS: Final = 2**16 - 1


class Record:
    """Reads and writes the record; used by one thread at a time.

    Args:
        engine: A connection of its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._database = engine.address.database

    def close(self) -> None:
        """Give the connection back."""
        self._engine.close()

    def since(self, names: Sequence[str]) -> dict[str, int]:
        """Since when each destination is to be told, Unix milliseconds; new ones: from now.

        Args:
            names: All destinations that there are now.
        """
        rows = self._rows("destinations_since")
        known = {row["Destination"]: row["Since"] for row in rows}
        new = [name for name in names if name not in known]
        now_ms = time.time_ns() // 1_000_000
        if new:
            moments = pa.array([now_ms] * len(new), pa.timestamp("ms"))
            table = pa.table({"Destination": pa.array(new), "Since": moments})
            self._engine.insert_arrow("destinations", table)
        return {name: known.get(name, now_ms) for name in names}

    def told(
        self, names: Sequence[str], keys: Iterable[Key]
    ) -> dict[str, list[tuple[Key, int]]]:
        """How far each destination was told of some things, by its name."""
        subjects = sorted({subject for _, _, subject in keys})
        rows = self._rows("told", destinations=list(names), subjects=subjects)
        levels: defaultdict[str, list[tuple[Key, int]]] = defaultdict(list)
        for row in rows:
            key = (row["Kind"], row["Tenant"], row["Subject"])
            levels[row["Destination"]].append((key, row["Level"]))
        return levels

    def untold(
        self, name: str, wanted: Wanted, since_ms: int, limit: int
    ) -> list[Notice]:
        """What a destination wants and was not told, oldest first.

        Args:
            name: Of the destination.
            wanted: What it wants.
            since_ms: Made then or later, Unix milliseconds.
            limit: At most so many findings, and so many runs.
        """
        given = {"destination": name, "since": since_ms, "limit": limit}
        rows = self._rows(
            "untold_findings",
            severity=wanted.rank,
            detectors=list(wanted.detectors),
            **given,
        )
        notices = list(findings_of(rows))
        if wanted.runs:
            notices += summaries_of(self._rows("untold_runs", **given))
        return notices

    def add(self, attempts: Iterable[Attempt]) -> None:
        """Note attempts; returns when they are durable."""
        rows = [_row(attempt) for attempt in attempts]
        self._engine.insert_arrow(
            "stored_deliveries", pa.Table.from_pylist(rows, schema=_ROWS)
        )

    def _rows(self, name: str, **parameters: Any) -> Iterator[dict[str, Any]]:
        statement = _sql.render(name, database=self._database)
        table = self._engine.arrow(statement, parameters)
        return iter(plain_rows(table))


def _row(attempt: Attempt) -> dict[str, Any]:
    common = {
        "Destination": attempt.destination,
        "Attempt": min(attempt.number, _MOST_ATTEMPTS),
        "Items": len(attempt.notices),
        "At": attempt.at_ns // 1_000_000,
        "Outcome": str(attempt.outcome),
        "Code": attempt.code,
        "DurationMs": attempt.seconds * 1000,
        "Answer": attempt.answer,
    }
    if len(attempt.notices) != 1:
        nothing = dict.fromkeys(
            ("Subject", "Tenant", "RunId", "Detector", "DeliveryId"), ""
        )
        return {**common, **nothing, "Kind": _KINDS["batch"], "Level": 0}
    (notice,) = attempt.notices
    return {
        **common,
        "Kind": _KINDS[notice.kind],
        "Subject": notice.subject,
        "Level": notice.level,
        "Tenant": notice.tenant,
        "RunId": notice.run_id,
        "Detector": notice.detector,
        "DeliveryId": notice.delivery_id(attempt.destination),
    }
