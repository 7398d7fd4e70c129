"""Traces for tests, in few words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

NOON_NS: Final = 1_788_264_000_000_000_000
"""Noon of 2026-09-01, in Unix nanoseconds."""
SECOND_NS: Final = 1_000_000_000


def trace_id(number: int) -> bytes:
    """Return the id of a trace."""
    return number.to_bytes(16, "big")


def span_id(number: int) -> bytes:
    """Return the id of a span."""
    return number.to_bytes(8, "big")


def fill(value: AnyValue, known: Any) -> None:
    """Set a value from a Python value."""
    if isinstance(known, bool):
        value.bool_value = known
    elif isinstance(known, int):
        value.int_value = known
    elif isinstance(known, float):
        value.double_value = known
    elif isinstance(known, bytes):
        value.bytes_value = known
    elif isinstance(known, list):
        for each in known:
            fill(value.array_value.values.add(), each)
    elif isinstance(known, dict):
        for key, each in known.items():
            fill(value.kvlist_value.values.add(key=key).value, each)
    else:
        value.string_value = known


def one(
    trace: int,
    span: int = 1,
    *,
    service: str = "shop",
    name: str = "buy",
    at_s: float = 0,
    parent: int = 0,
    duration_ns: int = 1000,
    attributes: Mapping[str, Any] | None = None,
    resource: Mapping[str, Any] | None = None,
    **changes: Any,
) -> ExportTraceServiceRequest:
    """Return a request of one span.

    Args:
        trace: The number of its trace.
        span: Its number.
        service: Its service; ``""`` for none.
        name: Its name.
        at_s: Seconds after `NOON_NS`.
        parent: The number of its parent; 0 for none.
        duration_ns: How long it took.
        attributes: Its attributes.
        resource: More attributes of its resource.
        **changes: Other fields of the message.
    """
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    described = {**({"service.name": service} if service else {}), **(resource or {})}
    for key, known in described.items():
        fill(resource_spans.resource.attributes.add(key=key).value, known)
    made: Span = resource_spans.scope_spans.add().spans.add(
        trace_id=trace_id(trace), span_id=span_id(span), name=name, **changes
    )
    made.start_time_unix_nano = NOON_NS + round(at_s * SECOND_NS)
    made.end_time_unix_nano = made.start_time_unix_nano + duration_ns
    if parent:
        made.parent_span_id = span_id(parent)
    for key, known in (attributes or {}).items():
        fill(made.attributes.add(key=key).value, known)
    return request


def span_of(request: ExportTraceServiceRequest) -> Span:
    """Return the span of a request of one."""
    return request.resource_spans[0].scope_spans[0].spans[0]
