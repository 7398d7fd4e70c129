"""Spans as plain values, for comparing what was sent with what came back."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.message import Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span, TracesData


def plain(messages: Iterable[TracesData | ExportTraceServiceRequest]) -> list[Any]:
    """Return all spans with their resource and scope, sorted by start and id."""
    found = [
        _span(span, resource, scope)
        for message in messages
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    return sorted(found, key=lambda span: (span["start"], span["id"]))


def attributes(pairs: Iterable[KeyValue]) -> dict[str, Any]:
    """Return attributes as Python values; bytes are the base64 that the store keeps."""
    return {each.key: value(each.value) for each in pairs}


def value(of: AnyValue) -> Any:
    """Return a value as a Python value."""
    kind = of.WhichOneof("value")
    if kind == "array_value":
        return [value(each) for each in of.array_value.values]
    if kind == "bytes_value":
        return base64.b64encode(of.bytes_value).decode()
    assert kind in {"string_value", "bool_value", "int_value", "double_value"}, kind
    return getattr(of, kind)


def traces_in(messages: Iterable[TracesData]) -> list[tuple[str, int]]:
    """Return which trace each message is of, and how many spans it has.

    Raises:
        AssertionError: When one is of several traces, or empty.
    """
    found = []
    for message in messages:
        spans = list(_spans(message.resource_spans))
        (trace_id,) = {span.trace_id for span in spans}
        found.append((trace_id.hex(), len(spans)))
    return found


def _spans(resources: Iterable[ResourceSpans]) -> Iterator[Span]:
    for resource in resources:
        for scope in resource.scope_spans:
            yield from scope.spans


def _span(span: Span, resource: ResourceSpans, scope: Any) -> dict[str, Any]:
    _only(
        span,
        *("trace_id", "span_id", "parent_span_id", "trace_state", "name", "kind"),
        *("start_time_unix_nano", "end_time_unix_nano", "attributes", "events"),
        *("links", "status"),
    )
    return {
        "trace": span.trace_id.hex(),
        "id": span.span_id.hex(),
        "parent": span.parent_span_id.hex(),
        "state": span.trace_state,
        "name": span.name,
        "kind": span.kind,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "status": (span.status.code, span.status.message),
        "attributes": attributes(span.attributes),
        "events": [
            (event.time_unix_nano, event.name, attributes(event.attributes))
            for event in span.events
        ],
        "links": [
            (
                *(link.trace_id.hex(), link.span_id.hex(), link.trace_state),
                attributes(link.attributes),
            )
            for link in span.links
        ],
        "scope": (scope.scope.name, scope.scope.version),
        "resource": attributes(resource.resource.attributes),
    }


def _only(message: Message, *known: str) -> None:
    """See that nothing is compared away."""
    unknown = {field.name for field, _ in message.ListFields()} - set(known)
    assert not unknown, unknown
