"""What is too large for a message is cut, and says so.

Jaeger takes messages of 4 MiB, which is the default of gRPC: one that is larger fails the
whole call.
"""

from __future__ import annotations

from typing import Final

from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fleetspan_collector.jaeger._values import KeyValues

CHUNK_BYTES: Final = 1 << 20
"""A message takes no further span beyond this."""
_SPAN_BYTES: Final = 2 << 20
_RESOURCE_BYTES: Final = 512 << 10
_CAPS: Final = (256 << 10, 64 << 10, 16 << 10, 4 << 10, 1 << 10, 256)
_WARNINGS: Final = "@jaeger@warnings"
"""The attribute whose texts Jaeger shows as warnings of a span."""


def warn(span: Span, text: str) -> None:
    """Add a warning to a span, as Jaeger shows them."""
    for attribute in span.attributes:
        if attribute.key == _WARNINGS and attribute.value.HasField("array_value"):
            break
    else:
        attribute = span.attributes.add(key=_WARNINGS)
    attribute.value.array_value.values.add(string_value=text)


def fit(span: Span) -> bool:
    """Cut what a span holds until it fits into a message.

    Returns:
        Whether something was cut.
    """
    if span.ByteSize() <= _SPAN_BYTES:
        return False
    for cap in _CAPS:
        _cut(span.attributes, cap)
        for event in span.events:
            event.name = _shortened(event.name, cap)
            _cut(event.attributes, cap)
        for link in span.links:
            _cut(link.attributes, cap)
        span.status.message = _shortened(span.status.message, cap)
        span.name = _shortened(span.name, cap)
        span.trace_state = span.trace_state if len(span.trace_state) <= cap else ""
        if span.ByteSize() <= _SPAN_BYTES:
            warn(span, f"values are cut to {cap} characters, to fit into a message")
            return True
    left_out = len(span.events) + len(span.links)
    span.ClearField("events")
    span.ClearField("links")
    while span.ByteSize() > _SPAN_BYTES:
        left_out += _halve(span.attributes)
    warn(span, f"{left_out} attributes, events and links are left out: too many")
    return True


def fit_resource(resource: Resource) -> None:
    """Cut the attributes of a resource until they fit into a message with a span."""
    for cap in _CAPS:
        if resource.ByteSize() <= _RESOURCE_BYTES:
            return
        _cut(resource.attributes, cap)
    while resource.ByteSize() > _RESOURCE_BYTES:
        _halve(resource.attributes)


def _cut(attributes: KeyValues, cap: int) -> None:
    for attribute in attributes:
        if attribute.value.HasField("string_value"):
            attribute.value.string_value = _shortened(attribute.value.string_value, cap)


def _shortened(text: str, cap: int) -> str:
    return text if len(text) <= cap else text[:cap] + "…"


def _halve(attributes: KeyValues) -> int:
    kept = len(attributes) // 2
    left_out = len(attributes) - kept
    del attributes[kept:]
    return left_out
