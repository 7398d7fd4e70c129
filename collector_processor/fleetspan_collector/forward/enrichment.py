"""What is known of a run, as attributes of the root spans that are forwarded."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fleetspan import _semconv as semconv
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.leases import Leases

logger = logging.getLogger("fleetspan.forward")

FINDINGS: Final = "fleetspan.run.findings"
"""Names of the detectors that have found something in the run."""
_LAST_S: Final = 2**32 - 1 - 3 * 86400
_NUMBERS: Final = {
    "CostUsd": semconv.RUN_ATTRIBUTES["cost_usd"],
    "Complexity": semconv.RUN_ATTRIBUTES["complexity"],
    "Effort": semconv.RUN_ATTRIBUTES["effort"],
    "SavedSeconds": semconv.RUN_ATTRIBUTES["saved_s"],
    "SavedUsd": semconv.RUN_ATTRIBUTES["saved_usd"],
}


class RootSpans:
    """Adds cost, complexity and findings to root spans, as far as they are known.

    Args:
        engine: Any connection to the store; it opens its own.
    """

    def __init__(self, engine: Engine) -> None:
        # Several send at the same time.
        self._leases = Leases(engine)
        self._failing = False
        self._runs, self._said, self._found = (
            _sql.render(name, database=engine.address.database)
            for name in ("said_of_traces", "said_of_runs", "found_in_runs")
        )

    def close(self) -> None:
        """Close its connections."""
        self._leases.close()

    def __call__(self, payload: bytes, tenant: str) -> bytes:
        """Return a request of spans with more attributes on its root spans.

        What does not hold root spans, or spans of which nothing is known, comes back as
        it is, byte for byte. Attributes that a span has already stay.

        Args:
            payload: An ``ExportTraceServiceRequest``.
            tenant: Whose it is.
        """
        request = ExportTraceServiceRequest()
        try:
            request.ParseFromString(payload)
        except DecodeError:
            return payload
        roots = list(_roots(request))
        if not roots:
            return payload
        known = self._known(roots, tenant)
        changed = False
        for span in roots:
            for row in known.get(span.trace_id.hex(), ()):
                changed |= _add(span, row)
        return request.SerializeToString() if changed else payload

    def _known(
        self, roots: Sequence[Span], tenant: str
    ) -> Mapping[str, list[Mapping[str, Any]]]:
        day_s = min(max(span.start_time_unix_nano for span in roots) // 10**9, _LAST_S)
        parameters = {
            "tenant": tenant,
            "traces": sorted({span.trace_id.hex() for span in roots}),
            "day": max(day_s, 2 * 86400),
        }
        try:
            with self._leases.of(None) as engine:
                rows = self._said_of(engine, parameters)
        except ClickHouseError as error:
            # Spans that say less are better than none.
            if not self._failing:
                logger.warning("root spans are forwarded as they are: %s", error)
            self._failing = True
            return {}
        self._failing = False
        found: dict[str, list[Mapping[str, Any]]] = {}
        for row in rows:
            found.setdefault(row["TraceId"], []).append(row)
        return found

    def _said_of(
        self, engine: Engine, parameters: Mapping[str, Any]
    ) -> list[dict[str, Any]]:
        """Ask for the runs, then for what is said of those: a join would read all."""
        runs: list[dict[str, Any]] = engine.arrow(self._runs, parameters).to_pylist()
        if not runs:
            return []
        of_runs = {
            **parameters,
            "runs": sorted({run["RunId"] for run in runs}),
        }
        for query in (self._said, self._found):
            known = {
                row["RunId"]: row for row in engine.arrow(query, of_runs).to_pylist()
            }
            for run in runs:
                run |= known.get(run["RunId"], {})
        return runs


def _roots(request: ExportTraceServiceRequest) -> Iterator[Span]:
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                if not span.parent_span_id and span.trace_id:
                    yield span


def _add(span: Span, row: Mapping[str, Any]) -> bool:
    """Add what a row says; tell whether it said anything."""
    present = {attribute.key for attribute in span.attributes}
    values = {
        name: AnyValue(double_value=row[column])
        for column, name in _NUMBERS.items()
        if row.get(column) is not None
    }
    if row.get("Detectors"):
        found = AnyValue()
        for detector in row["Detectors"]:
            found.array_value.values.add(string_value=detector)
        values[FINDINGS] = found
    added = False
    for name, value in values.items():
        if name not in present:
            span.attributes.add(key=name, value=value)
            added = True
    return added
