"""Fixtures of what cannot be installed, from what is published of it.

- ``openlit_coding``: OpenLIT's command line for coding agents is a Go program with a
  daemon of the vendor behind it. Span names, attributes and which spans have which:
  ``sdk/go/semconv/coding_agent.go`` and ``cli/internal/otlp/`` of openlit/openlit. All
  spans hang under the session's; input tokens are Anthropic's own, without cached ones.
- ``anthropic/anthropic-api``: the spans of the API itself need an organisation there.
  They are children of the SDK's, of the service ``claude-platform``, with the same
  request id and the attributes of the convention. They are put to a recording of an
  application's own spans and the SDK's, so that three layers tell of every request.

Run by hand: ``python …/from_constants.py``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

sys.path.insert(0, str(Path(__file__).parent))
from provider import ANTHROPIC_MODEL, USAGE

_FIXTURES: Final = Path(__file__).parent.parent / "fixtures"
_MS: Final = 1_000_000
_START_NS: Final = 1_790_000_000_000 * _MS
_SESSION: Final = 0xA0


def _attribute(key: str, value: Any) -> KeyValue:
    if isinstance(value, list):
        values = [AnyValue(string_value=each) for each in value]
        return KeyValue(key=key, value=AnyValue(array_value=ArrayValue(values=values)))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def _attributes(given: dict[str, Any]) -> list[KeyValue]:
    return [_attribute(key, value) for key, value in given.items() if value != 0]


def _of_service(request: ExportTraceServiceRequest, name: str) -> ResourceSpans:
    made = request.resource_spans.add()
    made.resource.attributes.append(_attribute("service.name", name))
    return made


def openlit_coding() -> ExportTraceServiceRequest:
    """The conversation as OpenLIT tells of a session of Claude Code."""
    request = ExportTraceServiceRequest()
    scope = _of_service(request, "claude-code").scope_spans.add()
    scope.scope.name = "openlit-cli"
    always = {
        "coding_agent.hook.schema.version": "1",
        "coding_agent.session.id": "session-1",
        "coding_agent.client": "claude-code",
    }

    def add(number: int, name: str, at_ms: int, lasts_ms: int, **given: Any) -> None:
        named = {key.replace("__", "."): value for key, value in given.items()}
        scope.spans.add(
            trace_id=(7).to_bytes(16),
            span_id=number.to_bytes(8),
            parent_span_id=b"" if number == _SESSION else _SESSION.to_bytes(8),
            name=name,
            kind=Span.SPAN_KIND_INTERNAL,
            start_time_unix_nano=_START_NS + at_ms * _MS,
            end_time_unix_nano=_START_NS + (at_ms + lasts_ms) * _MS,
            attributes=_attributes(always | named),
        )

    def turn(number: int, step: str, at_ms: int, reason: str) -> None:
        usage = USAGE[step]
        add(
            number,
            "coding_agent.llm.turn",
            at_ms,
            40,
            gen_ai__conversation__id="session-1",
            gen_ai__agent__name="claude-code",
            gen_ai__operation__name="chat",
            gen_ai__system="anthropic",
            gen_ai__provider__name="anthropic",
            gen_ai__request__model=ANTHROPIC_MODEL,
            gen_ai__response__model=ANTHROPIC_MODEL,
            gen_ai__response__id=f"msg_{number:04d}",
            gen_ai__response__finish_reasons=[reason],
            gen_ai__usage__cache__read_input_tokens=usage["read"],
            gen_ai__usage__cache__creation_input_tokens=usage["write_5m"]
            + usage["write_1h"],
            gen_ai__request__user="user-1",
            gen_ai__usage__input_tokens=usage["input"],
            gen_ai__usage__output_tokens=usage["output"],
            gen_ai__usage__cost=0.001,
        )

    def tool(number: int, name: str, call_id: str, at_ms: int, arguments: str) -> None:
        add(
            number,
            "coding_agent.tool.call",
            at_ms,
            10,
            gen_ai__operation__name="execute_tool",
            gen_ai__tool__name=name,
            gen_ai__tool__call__id=call_id,
            gen_ai__tool__call__arguments=arguments,
        )

    turn(1, "lead-1", 0, "tool_use")
    tool(2, "get_weather", "toolu_lead-1", 40, '{"city": "Lisbon"}')
    turn(3, "lead-2", 50, "tool_use")
    tool(4, "Task", "toolu_lead-2", 90, '{"task": "How sunny is Lisbon?"}')
    add(
        5,
        "coding_agent.subagent",
        91,
        50,
        gen_ai__conversation__id="session-1",
        gen_ai__tool__call__id="toolu_lead-2",
        coding_agent__agent__id="agent-2",
        coding_agent__agent__parent_id="session-1",
        coding_agent__agent__type="subagent",
        coding_agent__subagent__type="researcher",
        coding_agent__linkage_confidence="high",
    )
    turn(6, "researcher", 92, "end_turn")
    turn(7, "lead-3", 150, "end_turn")
    add(
        _SESSION,
        "coding_agent.session",
        0,
        200,
        gen_ai__conversation__id="session-1",
        gen_ai__agent__name="claude-code",
        gen_ai__request__user="user-1",
        coding_agent__session__outcome="completed",
        coding_agent__session__cost_usd=0.004,
        gen_ai__usage__cost=0.004,
        gen_ai__usage__input_tokens=560,
        gen_ai__usage__output_tokens=155,
    )
    return request


def anthropic_api() -> ExportTraceServiceRequest:
    """The conversation as an application, Anthropic's SDK and its API tell of it."""
    recorded = (_FIXTURES / "otel_genai" / "anthropic-layers.bin").read_bytes()
    request = ExportTraceServiceRequest.FromString(recorded)
    client_spans = [
        span
        for of_resource in request.resource_spans
        for scope in of_resource.scope_spans
        for span in scope.spans
        if scope.scope.name == "com.anthropic.sdk.python"
    ]
    served = _of_service(request, "claude-platform").scope_spans.add()
    for number, client in enumerate(client_spans, start=1):
        span = served.spans.add(
            trace_id=client.trace_id,
            span_id=(0xC0DE + number).to_bytes(8),
            parent_span_id=client.span_id,
            name=client.name,
            kind=Span.SPAN_KIND_SERVER,
            start_time_unix_nano=client.start_time_unix_nano + 1000,
            end_time_unix_nano=client.end_time_unix_nano - 1000,
            attributes=[
                each
                for each in client.attributes
                if each.key.startswith(("gen_ai.", "anthropic."))
            ],
        )
        span.attributes.extend(
            _attributes(
                {
                    "anthropic.organization.id": "org-1",
                    "anthropic.workspace.id": "wrkspc-1",
                }
            )
        )
    return request


def main() -> None:
    """Write the fixtures."""
    for name, request in (
        ("openlit_coding/anthropic", openlit_coding()),
        ("anthropic/anthropic-api", anthropic_api()),
    ):
        path = _FIXTURES / f"{name}.bin"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(request.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
