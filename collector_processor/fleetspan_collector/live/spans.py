"""Events of spans and log records, as they come over OTLP."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from fleetspan_collector.dialects.naming import facts_of, is_named, kind_of
from fleetspan_collector.live.claude_code import (
    EVENTS_SCOPE,
    SPANS_SCOPE,
    claude_log_facts,
    claude_span_facts,
)
from fleetspan_collector.live.event import Event, make_event

_ERROR: Final = 2
_ERROR_SEVERITY: Final = 17
_THINGS: Final = {"run": "run", "agent": "agent", "call": "llm", "tool": "tool"}
_STARTS: Final = {
    "fleetspan.run.start": "run",
    "fleetspan.agent.start": "agent",
    "fleetspan.tool.start": "tool",
}
_TOKENS: Final = ("input_tokens", "input_tokens_alone", "output_tokens")


def spans(tenant: str, payload: bytes) -> Iterator[Event]:
    """Yield an event for each span of a request.

    Raises:
        DecodeError: When the bytes are not a request.
    """
    request: Any = ExportTraceServiceRequest.FromString(payload)
    for resource in request.resource_spans:
        service = _service(resource.resource.attributes)
        for scope in resource.scope_spans:
            of_claude = scope.scope.name == SPANS_SCOPE
            for span in scope.spans:
                if of_claude:
                    facts = claude_span_facts(span.name, _all(span.attributes))
                else:
                    facts = _span_facts(span)
                yield _span_event(tenant, span, service, facts)


def logs(tenant: str, payload: bytes) -> Iterator[Event]:
    """Yield an event for each log record of a request.

    Raises:
        DecodeError: When the bytes are not a request.
    """
    request: Any = ExportLogsServiceRequest.FromString(payload)
    for resource in request.resource_logs:
        service = _service(resource.resource.attributes)
        for scope in resource.scope_logs:
            of_claude = scope.scope.name == EVENTS_SCOPE
            for record in scope.log_records:
                yield _log_event(tenant, record, service, of_claude=of_claude)


def _span_event(
    tenant: str, span: Any, service: str | None, facts: Mapping[str, Any]
) -> Event:
    failed = span.status.code == _ERROR or bool(facts.get("error"))
    error = facts.get("error") or (span.status.message or "error" if failed else None)
    trace_id = span.trace_id.hex()
    document = {
        "group": facts.get("group") or trace_id,
        "run_id": facts.get("run_id"),
        "session_id": facts.get("session_id"),
        "agent_id": facts.get("agent_id"),
        "agent": facts.get("agent"),
        "thing": facts["thing"],
        "thing_id": facts.get("thing_id") or span.span_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "trace_id": trace_id,
        "name": facts.get("name") or span.name,
        "start_ns": str(span.start_time_unix_nano),
        "end_ns": str(span.end_time_unix_nano),
        "status": "error" if failed else "ok",
        "error": error,
        "model": facts.get("model"),
        "tokens": facts.get("tokens"),
        "cost_usd": facts.get("cost_usd"),
        "service": service,
        "text": None,
    }
    severity = "medium" if failed else "info"
    return make_event(tenant, "span", severity, span.end_time_unix_nano, document)


def _span_facts(span: Any) -> dict[str, Any]:
    said = facts_of(_named(span.attributes))
    kind = kind_of(said, span.name)
    thing = _THINGS.get(kind, "span")
    span_id = span.span_id.hex()
    agent_id = said.get("agent_id") or (span_id if kind == "agent" else None)
    names = {
        "agent": said.get("agent_name"),
        "run": said.get("workflow_name"),
        "tool": said.get("tool_name"),
        "call": said.get("model"),
    }
    return {
        "thing": thing,
        "thing_id": {"agent": agent_id, "tool": said.get("tool_call_id")}.get(kind),
        "run_id": said.get("run_id"),
        "session_id": said.get("session_id"),
        "agent_id": agent_id,
        "agent": said.get("agent_name"),
        "name": names.get(kind) or said.get("thing_name"),
        "model": said.get("model"),
        "error": said.get("error_type"),
        "tokens": _sum(said) if kind == "call" else None,
        "cost_usd": _number(said.get("cost_usd")) if kind == "call" else None,
    }


def _log_event(
    tenant: str, record: Any, service: str | None, *, of_claude: bool
) -> Event:
    attributes = _all(record.attributes)
    name = record.event_name or attributes.get("event.name", "")
    trace_id, span_id = record.trace_id.hex(), record.span_id.hex()
    at_ns = record.time_unix_nano or record.observed_time_unix_nano
    document: dict[str, Any] = {
        "group": trace_id,
        "span_id": span_id,
        "trace_id": trace_id,
        "name": name,
        "service": service,
        "text": _text(record.body),
    }
    if name in _STARTS and span_id:
        return _start_event(tenant, _STARTS[name], at_ns, document, attributes)
    failed = record.severity_number >= _ERROR_SEVERITY
    if of_claude and attributes.get("session.id"):
        document |= claude_log_facts(name, attributes)
        failed = failed or bool(document.get("error"))
    else:
        said = facts_of(attributes.items())
        for fact in ("run_id", "session_id", "agent_id"):
            document[fact] = said.get(fact)
        document["agent"] = said.get("agent_name")
    severity = "medium" if failed else "info"
    return make_event(tenant, "log", severity, at_ns, document)


def _start_event(
    tenant: str,
    thing: str,
    at_ns: int,
    document: Mapping[str, Any],
    attributes: Mapping[str, str],
) -> Event:
    said = facts_of(attributes.items())
    span_id = document["span_id"]
    agent_id = said.get("agent_id") or (span_id if thing == "agent" else None)
    name = {
        "agent": said.get("agent_name"),
        "run": said.get("workflow_name"),
        "tool": said.get("tool_name"),
    }[thing]
    return make_event(
        tenant,
        "start",
        "info",
        at_ns,
        {
            **document,
            "run_id": said.get("run_id"),
            "session_id": said.get("session_id"),
            "agent_id": agent_id,
            "agent": said.get("agent_name"),
            "thing": thing,
            "thing_id": {"agent": agent_id, "tool": said.get("tool_call_id")}.get(thing)
            or span_id,
            "parent_span_id": attributes.get("fleetspan.parent_span_id"),
            "name": name,
            "start_ns": str(at_ns),
            "end_ns": None,
            "status": "running",
            "error": None,
            "model": said.get("model"),
            "tokens": None,
            "cost_usd": None,
            "text": None,
        },
    )


def _service(attributes: Any) -> str | None:
    for each in attributes:
        if each.key == "service.name":
            return _text(each.value)
    return None


def _named(attributes: Any) -> Iterator[tuple[str, str]]:
    for each in attributes:
        if is_named(each.key):
            yield each.key, _text(each.value)


def _all(attributes: Any) -> dict[str, str]:
    return {each.key: _text(each.value) for each in attributes}


def _text(value: Any) -> str:
    kind = value.WhichOneof("value")
    if kind == "string_value":
        return str(value.string_value)
    if kind == "bool_value":
        return "true" if value.bool_value else "false"
    if kind in ("int_value", "double_value"):
        return str(getattr(value, kind))
    if kind is None:
        return ""
    # Lists and maps say nothing that a line could show.
    return f"({kind.partition('_')[0]})"


def _sum(said: Mapping[str, str]) -> int | None:
    known = [n for n in (_number(said.get(name)) for name in _TOKENS) if n is not None]
    if not known:
        return None
    cached = 0.0
    if "input_tokens_alone" in said:
        # Elsewhere cached tokens are part of the input.
        cached = sum(
            _number(said.get(name)) or 0
            for name in ("cache_read_tokens", "cache_write_tokens")
        )
    return int(sum(known) + cached)


def _number(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None


__all__ = ["DecodeError", "logs", "spans"]
