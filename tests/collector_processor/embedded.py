"""The way from requests to canonical rows in this process, one step at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Generator, Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from fleetspan_collector._signals import Signal, Submission
from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.ingest.raw_writer import RawWriter
from fleetspan_collector.journal import Journal, JournalSettings, Segment
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.address import StoreAddress
from fleetspan_collector.store.migrate import Retention, migrate

TABLES: Final = ("runs", "agents", "llm_calls", "tool_calls")
_NOT_COMPARED: Final = frozenset(("Tenant", "Bucket"))


def _rows(request: Message) -> tuple[Signal, int]:
    if isinstance(request, ExportTraceServiceRequest):
        return Signal.TRACES, sum(
            len(scope.spans)
            for resource in request.resource_spans
            for scope in resource.scope_spans
        )
    if isinstance(request, ExportLogsServiceRequest):
        return Signal.LOGS, sum(
            len(scope.log_records)
            for resource in request.resource_logs
            for scope in resource.scope_logs
        )
    return Signal.METRICS, 1


class Embedded:
    """A migrated store in a directory, with a journal before it.

    Args:
        directory: Where both are.
        prices: Prices of calls.
    """

    def __init__(self, directory: Path, prices: PriceBook | None = None) -> None:
        self.engine = Engine(StoreAddress(path=directory / "store"))
        migrate(
            self.engine,
            retention=Retention(traces_days=0, logs_days=0, metrics_days=0),
            idle_timeout_s=1e9,
        )
        self._second = self.engine.another()
        self.derivation = Derivation(self._second, prices or PriceBook())
        self.writer = RawWriter(self.engine, self.engine)
        self.journal = Journal(
            directory / "journal",
            settings=JournalSettings(min_free_bytes=0, reserve_bytes=0),
        )

    def close(self) -> None:
        """Let go of everything."""
        self.journal.close()
        self._second.close()
        self.engine.close()

    def segments(self, requests: Iterable[Message], tenant: str = "") -> list[Segment]:
        """Journal requests, equal ones each for themselves, and seal."""
        for request in requests:
            signal, rows = _rows(request)
            self.journal.append(
                Submission(
                    signal=signal,
                    tenant=tenant,
                    payload=request.SerializeToString(),
                    rows=rows,
                    record_id=os.urandom(16),
                )
            )
        self.journal.seal()
        return self.journal.sealed()

    def insert(self, requests: Iterable[Message], tenant: str = "") -> list[Window]:
        """Insert the raw rows of requests; return the windows to derive from."""
        windows = []
        for segment in self.segments(requests, tenant):
            self.writer.insert(segment)
            self.journal.remove(segment)
            if segment.signal is not Signal.METRICS:
                windows.append(Window.of_batches(segment.signal, [segment.batch_id]))
        return windows

    def take(self, *requests: Message, tenant: str = "") -> None:
        """Insert requests and derive from them."""
        windows = self.insert(requests, tenant)
        if windows:
            self.derivation.derive(windows)

    def rows(
        self, table: str, condition: str = "1", columns: str = "*"
    ) -> list[dict[str, Any]]:
        """Return rows of a table."""
        text = self.engine.raw(
            f"SELECT {columns} FROM otel.{table} WHERE {condition} ORDER BY ALL",
            "JSONEachRow",
        )
        return [json.loads(line) for line in text.decode().splitlines()]

    def canonical(self, tenant: str = "") -> Mapping[str, list[str]]:
        """Return all canonical rows of a tenant, without what an order may change."""
        return {
            table: sorted(
                json.dumps({k: v for k, v in row.items() if k not in _NOT_COMPARED})
                for row in self.rows(table, f"Tenant = '{tenant}'")
            )
            for table in TABLES
        }


@contextmanager
def embedded(directory: Path, prices: PriceBook | None = None) -> Generator[Embedded]:
    """Open a store for a test module; only one can be open in a process."""
    store = Embedded(directory, prices)
    try:
        yield store
    finally:
        store.close()
