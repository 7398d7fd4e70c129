"""Rows that other writers put into the raw tables, found and derived from.

An existing collector's exporter, or an INSERT, brings rows without a `BatchId`. They are
found by when they came (`ReceivedAt`). A row may become visible after rows that came
later: so the last minute is looked at again while it may still grow, which changes
nothing where nothing is new. How far this has come is kept in the data directory.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.ingest.metrics import IngestMetrics
from fleetspan_collector.store._engine import Engine

logger = logging.getLogger("fleetspan.ingest")

_TABLES: Final[Mapping[Signal, str]] = {
    Signal.TRACES: "otel_traces",
    Signal.LOGS: "otel_logs",
}
_FILE: Final = "foreign.json"
_OVERLAP_NS: Final = 60 * 1_000_000_000
_EVERY_S: Final = 5.0
_MOST_ROWS_AT_ONCE: Final = 100_000
_LOOK_S: Final = 0.01


class ForeignRows:
    """Derives from what others have written, in a thread of its own.

    Args:
        engine: A connection that this object alone uses.
        derivation: Derives canonical rows.
        data: The data directory.
        metrics: Where it counts.
    """

    def __init__(
        self, engine: Engine, derivation: Derivation, data: Path, metrics: IngestMetrics
    ) -> None:
        self._engine = engine
        self._derivation = derivation
        self._path = data / _FILE
        self._metrics = metrics
        self._from_ns = self._read()
        self._seen: dict[Signal, int] = dict.fromkeys(_TABLES, 0)
        self._changed = threading.Condition()
        self._asked = 1  # What came while no collector ran.
        self._done = 0
        self._stopping = False
        self._complained = False
        self._thread = threading.Thread(
            target=self._work, name="fleetspan-foreign", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End after the look under way; safe to call twice."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def inserted(self, table: str) -> None:
        """Take note that a table has new rows, so that nobody waits for a look."""
        if table in _TABLES.values():
            with self._changed:
                self._asked += 1
                self._changed.notify_all()

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until what was noted before the call is derived from.

        Args:
            timeout_s: How long to wait at most, in seconds.

        Returns:
            False when it still is not.
        """
        asked = self._asked
        deadline_s = time.monotonic() + timeout_s
        while self._done < asked:
            if time.monotonic() > deadline_s:
                return False
            await asyncio.sleep(_LOOK_S)
        return True

    def _work(self) -> None:
        # Only a server has writers that say nothing here.
        every_s = None if self._engine.address.embedded else _EVERY_S
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopping or self._done < self._asked, every_s
                )
                if self._stopping:
                    return
                asked = self._asked
            try:
                self.look()
            except (ClickHouseError, OSError) as error:
                self._metrics.failures.labels("foreign").inc()
                if not self._complained:
                    self._complained = True
                    logger.warning("rows of other writers wait: %s", error)
                with self._changed:
                    self._changed.wait_for(lambda: self._stopping, _EVERY_S)
                continue
            self._complained = False
            with self._changed:
                self._done = asked
                self._changed.notify_all()

    def look(self) -> int:
        """Derive from rows of others that are new.

        Returns:
            How many rows were looked at again or for the first time.

        Raises:
            ClickHouseError: When the store fails; nothing is forgotten then.
        """
        looked = 0
        for signal, table in _TABLES.items():
            looked += self._look(signal, table)
        return looked

    def _look(self, signal: Signal, table: str) -> int:
        first_ns = self._from_ns[signal]
        database = self._engine.address.database
        (found,) = self._engine.arrow(
            "SELECT count() AS rows, toUnixTimestamp64Nano(now64(9)) AS now_ns,"
            " countIf(ReceivedAt >= now64(9) - INTERVAL 60 SECOND) AS recent"
            f" FROM {database}.{table} WHERE BatchId = ''"
            " AND ReceivedAt >= fromUnixTimestamp64Nano({first:Int64})",
            {"first": first_ns},
        ).to_pylist()
        if found["rows"] == self._seen[signal]:
            return 0
        for condition in self._windows(table, first_ns, found["rows"]):
            window = Window(signal=signal, condition=condition)
            resolved, failed = self._derivation.derive([window])
            self._metrics.resolved_groups.inc(resolved)
            self._metrics.failed_groups.inc(failed)
        self._from_ns[signal] = max(first_ns, found["now_ns"] - _OVERLAP_NS)
        self._seen[signal] = found["recent"]
        self._write()
        return int(found["rows"])

    def _windows(self, table: str, first_ns: int, rows: int) -> list[str]:
        """Conditions that pick all of them, few enough at a time."""
        whole = f"BatchId = '' AND ReceivedAt >= fromUnixTimestamp64Nano({first_ns})"
        parts = -(-rows // _MOST_ROWS_AT_ONCE)
        if parts <= 1:
            return [whole]
        # By trace, so that what belongs together is derived together.
        return [
            f"{whole} AND cityHash64(TraceId) % {parts} = {n}" for n in range(parts)
        ]

    def _read(self) -> dict[Signal, int]:
        try:
            kept = json.loads(self._path.read_text("utf-8"))
            return {signal: int(kept[signal.value]) for signal in _TABLES}
        except (OSError, ValueError, KeyError, TypeError):
            # Deriving again changes nothing, and costs time once.
            return dict.fromkeys(_TABLES, 0)

    def _write(self) -> None:
        draft = self._path.with_name(f"{_FILE}.new")
        kept = {signal.value: at_ns for signal, at_ns in self._from_ns.items()}
        with draft.open("w", encoding="utf-8") as file:
            json.dump(kept, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
