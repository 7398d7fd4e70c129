"""A search as conditions of a statement."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.jaeger._questions import NO_SERVICE, Search

_FAILED: Final = "StatusCode IN ('Error', 'STATUS_CODE_ERROR')"
_CALLED_FAILED: Final = (
    "(mapContains(SpanAttributes, 'error') AND SpanAttributes['error'] = 'true')"
)
_STATUS: Final = "upper(replaceOne(toString(StatusCode), 'STATUS_CODE_', ''))"
_KIND: Final = "lower(replaceOne(toString(SpanKind), 'SPAN_KIND_', ''))"
# What Jaeger shows as tags and OTLP has as fields; ``{}`` is the text that is wanted.
_FIELDS: Final[Mapping[str, str]] = {
    "span.kind": f"{_KIND} = lower({{}})",
    "otel.status_code": f"{_STATUS} = upper({{}})",
    "otel.status_description": "StatusMessage = {}",
    "otel.scope.name": "ScopeName = {}",
    "otel.library.name": "ScopeName = {}",
    "otel.scope.version": "ScopeVersion = {}",
    "otel.library.version": "ScopeVersion = {}",
    "w3c.tracestate": "TraceState = {}",
    "event": "has(`Events.Name`, {})",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Conditions on a span, and the values that they name.

    Attributes:
        spans: On its own columns.
        without_events: On its attributes and those of its resource; ``""`` when none
            are wanted.
        in_events: Some wanted attribute is one of an event's, which has no index.
        everywhere: Each wanted attribute is one of the span's, of its resource's, or
            of an event's.
        values: Of the parameters in these.
    """

    spans: str
    without_events: str
    in_events: str
    everywhere: str
    values: Mapping[str, Any]


def conditions_of(search: Search) -> Conditions:
    """Turn a search, but for when the spans began, into conditions."""
    values: dict[str, Any] = {}
    spans = ["length(TraceId) = 32"]
    if search.service:
        spans.append("ServiceName = {service:String}")
        values["service"] = "" if search.service == NO_SERVICE else search.service
    if search.operation:
        spans.append("SpanName = {operation:String}")
        values["operation"] = search.operation
    if search.shortest_ns:
        spans.append("Duration >= {shortest_ns:UInt64}")
        values["shortest_ns"] = search.shortest_ns
    if search.longest_ns is not None:
        spans.append("Duration <= {longest_ns:UInt64}")
        values["longest_ns"] = search.longest_ns
    outside: list[str] = []
    in_events: list[str] = []
    for number, (key, wanted) in enumerate(search.attributes):
        values[f"key_{number}"] = key
        values[f"value_{number}"] = wanted
        if key == "error" and wanted in {"true", "false"}:
            # It is the status of the span; few have an attribute that is called so,
            # and these are found where they do not slow down the rest.
            outside.append(_FAILED if wanted == "true" else f"NOT {_FAILED}")
            in_events.append(_CALLED_FAILED if wanted == "true" else "0")
            continue
        outside.append(_outside_of_events(number, key, wanted))
        in_events.append(_in_events(number, wanted))
    return Conditions(
        spans=" AND ".join(spans),
        without_events=" AND ".join(f"({each})" for each in outside),
        in_events="(" + " OR ".join(in_events) + ")",
        everywhere=" AND ".join(
            f"({one} OR {other})" for one, other in zip(outside, in_events, strict=True)
        ),
        values=values,
    )


def _outside_of_events(number: int, key: str, wanted: str | float) -> str:
    text, name = _text(number, wanted), f"{{key_{number}:String}}"
    found = [
        # The first half has an index, and so has the second.
        f"has(mapValues({attributes}), {text}) AND {attributes}[{name}] = {text}"
        + (f" AND mapContains({attributes}, {name})" if wanted == "" else "")
        for attributes in ("SpanAttributes", "ResourceAttributes")
    ]
    if key in _FIELDS:
        found.append(_FIELDS[key].format(text))
    return " OR ".join(f"({each})" for each in found)


def _in_events(number: int, wanted: str | float) -> str:
    text, name = _text(number, wanted), f"{{key_{number}:String}}"
    held = f"mapContains(event, {name}) AND " if wanted == "" else ""
    return f"arrayExists(event -> {held}event[{name}] = {text}, `Events.Attributes`)"


def _text(number: int, wanted: str | float) -> str:
    if isinstance(wanted, str):
        return f"{{value_{number}:String}}"
    # As the engine writes it, which is how the store has it.
    return f"toString({{value_{number}:Float64}})"
