"""Jaeger's own traces and queries, as OTLP and as searches.

Days are moved to yesterday and the day before, as Jaeger's tests do.
"""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

FOLDER: Final = Path(__file__).parent / "data"
_NOW: Final = datetime.now(UTC)
_KINDS: Final = {"server": Span.SPAN_KIND_SERVER, "client": Span.SPAN_KIND_CLIENT}


def trace(name: str) -> ExportTraceServiceRequest:
    """Return a trace of Jaeger's, as its collector would get it over OTLP."""
    request = ExportTraceServiceRequest()
    for given in _read(FOLDER / "traces" / f"{name}.json")["spans"]:
        process = given["process"]
        resource = request.resource_spans.add()
        service = resource.resource.attributes.add(key="service.name")
        service.value.string_value = process["serviceName"]
        for tag in process["tags"]:
            attribute = resource.resource.attributes.add(key=tag["key"])
            _set(attribute.value, tag)
        _fill(resource.scope_spans.add().spans.add(), given)
    return request


def queries() -> list[tuple[str, dict[str, Any], list[str]]]:
    """Return Jaeger's searches: their captions, what is asked, and the traces found."""
    return [
        (each["Caption"], _search(each["Query"]), each["ExpectedFixtures"])
        for each in _read(FOLDER / "queries.json")
    ]


def _read(path: Path) -> Any:
    text = path.read_text("utf-8")
    for days, day in ((1, "2017-01-26"), (2, "2017-01-25")):
        text = text.replace(day, f"{_NOW - timedelta(days=days):%Y-%m-%d}")
    return json.loads(text)


def _fill(span: Span, given: dict[str, Any]) -> None:
    span.trace_id, span.span_id = _bytes(given["traceId"]), _bytes(given["spanId"])
    span.name = given["operationName"]
    span.start_time_unix_nano = nanoseconds(given["startTime"])
    duration_ns = int(given["duration"].removesuffix("ns"))
    span.end_time_unix_nano = span.start_time_unix_nano + duration_ns
    for reference in given["references"]:
        if reference.get("refType") == "FOLLOWS_FROM":
            span.links.add(
                trace_id=_bytes(reference["traceId"]),
                span_id=_bytes(reference["spanId"]),
            )
        else:
            span.parent_span_id = _bytes(reference["spanId"])
    for tag in given["tags"]:
        if tag["key"] == "span.kind":
            span.kind = _KINDS[tag["vStr"]]
        else:
            _set(span.attributes.add(key=tag["key"]).value, tag)
    for log in given["logs"]:
        event = span.events.add(time_unix_nano=nanoseconds(log["timestamp"]))
        for field in log["fields"]:
            _set(event.attributes.add(key=field["key"]).value, field)


def _set(value: AnyValue, tag: dict[str, Any]) -> None:
    kind = tag.get("vType", "STRING")
    if kind == "STRING":
        value.string_value = tag["vStr"]
    elif kind == "INT64":
        value.int_value = int(tag["vInt64"])
    elif kind == "FLOAT64":
        value.double_value = tag["vFloat64"]
    elif kind == "BOOL":
        value.bool_value = tag["vBool"]
    else:
        value.bytes_value = _bytes(tag["vBinary"])


def _search(query: dict[str, Any]) -> dict[str, Any]:
    return {
        "service_name": query["ServiceName"],
        "operation_name": query["OperationName"],
        "attributes": query["Tags"] or {},
        "start_time_min": nanoseconds(query["StartTimeMin"]),
        "start_time_max": nanoseconds(query["StartTimeMax"]),
        "duration_min": query["DurationMin"],
        "duration_max": query["DurationMax"],
        "search_depth": query["NumTraces"],
    }


def nanoseconds(text: str) -> int:
    """Return a time such as ``2017-01-26T16:46:31.639875Z`` as Unix nanoseconds."""
    moment = datetime.fromisoformat(text)
    seconds = int(moment.replace(microsecond=0).timestamp())
    return seconds * 1_000_000_000 + moment.microsecond * 1000


def _bytes(text: str) -> bytes:
    return base64.b64decode(text)
