"""Fleets of agents as OTLP requests, for tests of the collector."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

MS: Final = 1_000_000
_DAY_NS: Final = 86_400_000 * MS
START_NS: Final = (time.time_ns() // _DAY_NS - 1) * _DAY_NS + 11 * 3_600_000 * MS
"""Yesterday at eleven: rows of a fixed date would one day be past their retention."""


def value(given: object) -> AnyValue:
    """Return an OTLP value of a Python one."""
    if given is None:
        return AnyValue()
    if isinstance(given, bool):
        return AnyValue(bool_value=given)
    if isinstance(given, int):
        return AnyValue(int_value=given)
    if isinstance(given, float):
        return AnyValue(double_value=given)
    if isinstance(given, bytes):
        return AnyValue(bytes_value=given)
    made = AnyValue()
    if isinstance(given, Mapping):
        made.kvlist_value.SetInParent()
        made.kvlist_value.values.extend(attributes(given))
    elif isinstance(given, list):
        made.array_value.SetInParent()
        made.array_value.values.extend(value(each) for each in given)
    else:
        made.string_value = str(given)
    return made


def attributes(given: Mapping[str, Any]) -> list[KeyValue]:
    """Return OTLP attributes."""
    return [KeyValue(key=key, value=value(each)) for key, each in given.items()]


def span(
    trace: int,
    number: int,
    parent: int = 0,
    *,
    at_ms: int = 0,
    lasts_ms: int = 10,
    name: str = "step",
    failed: bool = False,
    start_ns: int = START_NS,
    **given: Any,
) -> Span:
    """Return a span; keys of ``given`` are attributes with ``__`` for a dot, ``None`` for none."""
    named = {
        key.replace("__", "."): each for key, each in given.items() if each is not None
    }
    begin = start_ns + at_ms * MS
    return Span(
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        parent_span_id=parent.to_bytes(8) if parent else b"",
        name=name,
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=begin,
        end_time_unix_nano=begin + lasts_ms * MS,
        attributes=attributes(named),
        status=Status(code=Status.STATUS_CODE_ERROR) if failed else None,
    )


def agent(trace: int, number: int, parent: int = 0, **given: Any) -> Span:
    """Return the span of an agent."""
    given.setdefault("lasts_ms", 1000)
    name = given.setdefault("gen_ai__agent__name", f"agent-{number}")
    return span(
        trace,
        number,
        parent,
        name=f"invoke_agent {name}",
        gen_ai__operation__name="invoke_agent",
        **given,
    )


def call(trace: int, number: int, parent: int = 0, **given: Any) -> Span:
    """Return the span of a call to a model, with known usage unless said otherwise."""
    usage: dict[str, Any] = {
        "gen_ai__provider__name": "anthropic",
        "gen_ai__request__model": "claude-sonnet-4-5",
        "gen_ai__usage__input_tokens": 100 + number % 7,
        "gen_ai__usage__output_tokens": 20,
    }
    return span(
        trace,
        number,
        parent,
        name="chat claude-sonnet-4-5",
        gen_ai__operation__name="chat",
        **usage | given,
    )


def tool(trace: int, number: int, parent: int = 0, **given: Any) -> Span:
    """Return the span of a tool call."""
    name = given.setdefault("gen_ai__tool__name", "Bash")
    return span(
        trace,
        number,
        parent,
        name=f"execute_tool {name}",
        gen_ai__operation__name="execute_tool",
        **given,
    )


def start_event(trace: int, number: int, kind: str, **given: Any) -> LogRecord:
    """Return the log record that tells of the start of an agent, a tool or a run."""
    at_ms = given.pop("at_ms", 0)
    named = {key.replace("__", "."): each for key, each in given.items()}
    return LogRecord(
        trace_id=trace.to_bytes(16),
        span_id=number.to_bytes(8),
        time_unix_nano=START_NS + at_ms * MS,
        event_name=f"fleetspan.{kind}.start",
        attributes=attributes(named),
    )


RESOURCE: Final = {
    "service.name": "fleet",
    "deployment.environment.name": "test",
    "fleetspan.project": "tests",
}


def traces(
    spans: Iterable[Span], resource: Mapping[str, Any] = RESOURCE
) -> ExportTraceServiceRequest:
    """Return a request of spans of one resource and scope."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    of_resource.resource.attributes.extend(attributes(resource))
    scope = of_resource.scope_spans.add()
    scope.scope.name = "tests"
    scope.spans.extend(spans)
    return request


def logs(
    records: Iterable[LogRecord], resource: Mapping[str, Any] = RESOURCE
) -> ExportLogsServiceRequest:
    """Return a request of log records of one resource and scope."""
    request = ExportLogsServiceRequest()
    of_resource = request.resource_logs.add()
    of_resource.resource.attributes.extend(attributes(resource))
    scope = of_resource.scope_logs.add()
    scope.scope.name = "tests"
    scope.log_records.extend(records)
    return request


def gauge(name: str, *numbers: float) -> ExportMetricsServiceRequest:
    """Return a request of one gauge with a point per number."""
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add()
    of_resource.resource.attributes.extend(attributes(RESOURCE))
    metric = of_resource.scope_metrics.add().metrics.add(name=name)
    for number in numbers:
        metric.gauge.data_points.add(time_unix_nano=START_NS, as_double=number)
    return request
