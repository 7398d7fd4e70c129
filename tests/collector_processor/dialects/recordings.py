"""The recorded requests, and what is read from them."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.collector_processor.fleet import START_NS

FIXTURES: Final = Path(__file__).parent / "fixtures"


def names() -> list[str]:
    """Return the recordings there are, as ``dialect/interface``."""
    return sorted(f"{p.parent.name}/{p.stem}" for p in FIXTURES.glob("*/*.bin"))


def load(name: str) -> ExportTraceServiceRequest:
    """Return a recording as if it were of yesterday: old rows have a retention."""
    request = ExportTraceServiceRequest.FromString(
        (FIXTURES / f"{name}.bin").read_bytes()
    )
    spans = [
        span
        for of_resource in request.resource_spans
        for scope in of_resource.scope_spans
        for span in scope.spans
    ]
    later = START_NS - min(span.start_time_unix_nano for span in spans)
    for span in spans:
        span.start_time_unix_nano += later
        span.end_time_unix_nano += later
        for event in span.events:
            event.time_unix_nano += later
    return request
