"""The spans that are sent: traces of agents as a GenAI instrumentation writes them.

A trace has 50 spans, each with 12 attributes: a workflow, a main agent, three
sub-agents, 27 model calls and 18 tool calls. Services export independently, so a
request of 500 to 1,000 spans holds one service's spans in the order in which they
ended, children first, and cuts traces wherever it is full.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

SPANS_OF_A_TRACE: Final = 50
CALLS_OF_A_TRACE: Final = 27
TOOLS_OF_A_TRACE: Final = 18
AGENTS_OF_A_TRACE: Final = 4
ATTRIBUTES_OF_A_SPAN: Final = 12

_MODELS: Final = (
    ("anthropic", "claude-sonnet-4-5"),
    ("anthropic", "claude-haiku-4-5"),
    ("openai", "gpt-5"),
    ("openai", "gpt-5-mini"),
)
_TOOLS: Final = ("Read", "Bash", "Grep", "Edit", "WebFetch", "search_orders")
_AGENTS: Final = ("orchestrator", "researcher", "coder", "reviewer")
_SERVICES: Final = ("checkout-agents", "support-agents", "research-agents", "ci-agents")
_CLIENT: Final = Span.SPAN_KIND_CLIENT
_INTERNAL: Final = Span.SPAN_KIND_INTERNAL
_MS: Final = 1_000_000
_FRAME: Final = struct.Struct("<II")


class Fleet:
    """Makes traces; the same seed makes the same ones.

    Args:
        seed: Of the ids and numbers.
        start_ns: When the first trace starts, in nanoseconds since the epoch.
        step_ns: Between the starts of two traces.
    """

    def __init__(self, seed: int, start_ns: int, step_ns: int = 2 * _MS) -> None:
        self._random = random.Random(seed)
        self._at_ns = start_ns
        self._step_ns = step_ns

    def trace(self, workflow: str = "nightly-review") -> list[Span]:
        """Return the spans of a trace in the order in which they end."""
        made = _Trace(self._random, self._at_ns, workflow)
        self._at_ns += self._step_ns
        return made.spans


class _Trace:
    def __init__(self, chance: random.Random, at_ns: int, workflow: str) -> None:
        self._random = chance
        self._at_ns = at_ns
        self._trace_id = chance.randbytes(16)
        self._session = f"session-{chance.getrandbits(48):012x}"
        self._run = f"run-{chance.getrandbits(64):016x}"
        self.spans: list[Span] = []
        begin, root = at_ns, chance.randbytes(8)
        main = chance.randbytes(8)
        for name in _AGENTS[1:]:
            agent = chance.randbytes(8)
            start = self._at_ns
            self._work(agent, name, calls=7, tools=5)
            self._agent(agent, main, name, start, parent_agent=main)
        self._work(main, _AGENTS[0], calls=6, tools=3)
        self._agent(main, root, _AGENTS[0], begin, parent_agent=None)
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_workflow",
            "gen_ai.workflow.name": workflow,
            "user.id": "u-1042",
            "fleetspan.attempts": 1,
        }
        self._add(root, b"", f"invoke_workflow {workflow}", begin, attributes, main)

    def _work(self, agent: bytes, name: str, *, calls: int, tools: int) -> None:
        for number in range(calls):
            self._call(agent, name)
            if number < tools:
                self._tool(agent, name)

    def _agent(
        self,
        span_id: bytes,
        parent: bytes,
        name: str,
        start_ns: int,
        parent_agent: bytes | None,
    ) -> None:
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": name,
            "gen_ai.request.model": _MODELS[0][1],
            "fleetspan.agent.type": name,
            "fleetspan.background": False,
        }
        if parent_agent is not None:
            attributes["fleetspan.agent.parent_id"] = parent_agent.hex()
        self._add(
            span_id, parent, f"invoke_agent {name}", start_ns, attributes, span_id
        )

    def _call(self, agent: bytes, name: str) -> None:
        chance = self._random
        provider, model = chance.choice(_MODELS)
        cached = chance.randrange(0, 40_000)
        attributes = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.response.id": f"msg_{chance.getrandbits(96):024x}",
            "gen_ai.response.finish_reasons": ["tool_use"],
            "gen_ai.usage.input_tokens": cached + chance.randrange(20, 3000),
            "gen_ai.usage.cache_read.input_tokens": cached,
            "gen_ai.usage.output_tokens": chance.randrange(5, 1200),
            "gen_ai.response.time_to_first_chunk": chance.randrange(200, 900) / 1000,
        }
        start, self._at_ns = self._at_ns, self._at_ns + chance.randrange(9, 90) * _MS
        span_id = chance.randbytes(8)
        self._add(span_id, agent, f"chat {model}", start, attributes, agent, _CLIENT)

    def _tool(self, agent: bytes, name: str) -> None:
        chance = self._random
        tool = chance.choice(_TOOLS)
        failed = chance.random() < 0.03
        attributes: dict[str, Any] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": f"toolu_{chance.getrandbits(96):024x}",
            "gen_ai.agent.name": name,
            "fleetspan.tool.arguments_hash": f"{chance.getrandbits(128):032x}",
            "fleetspan.tool.result_bytes": chance.randrange(0, 50_000),
            "fleetspan.success": not failed,
        }
        if failed:
            attributes["error.type"] = "timeout"
        start, self._at_ns = self._at_ns, self._at_ns + chance.randrange(1, 40) * _MS
        span_id = chance.randbytes(8)
        self._add(span_id, agent, f"execute_tool {tool}", start, attributes, agent)

    def _add(
        self,
        span_id: bytes,
        parent: bytes,
        name: str,
        start_ns: int,
        attributes: dict[str, Any],
        agent: bytes,
        kind: Span.SpanKind.ValueType = _INTERNAL,
    ) -> None:
        attributes["fleetspan.run.id"] = self._run
        attributes["gen_ai.conversation.id"] = self._session
        attributes["fleetspan.agent.id"] = agent.hex()
        for number in range(ATTRIBUTES_OF_A_SPAN - len(attributes)):
            attributes[f"app.label.{number}"] = f"value-{number}"
        failed = "error.type" in attributes
        self.spans.append(
            Span(
                trace_id=self._trace_id,
                span_id=span_id,
                parent_span_id=parent,
                name=name,
                kind=kind,
                start_time_unix_nano=start_ns,
                end_time_unix_nano=max(self._at_ns, start_ns + _MS),
                attributes=[_attribute(key, each) for key, each in attributes.items()],
                status=Status(code=Status.STATUS_CODE_ERROR) if failed else None,
            )
        )


def request(service: str, spans: list[Span]) -> ExportTraceServiceRequest:
    """Return an export request of one service's spans."""
    made = ExportTraceServiceRequest()
    of_resource = made.resource_spans.add(resource=_resource(service))
    scope = InstrumentationScope(name="genai.instrumentation", version="1.4.0")
    of_resource.scope_spans.add(scope=scope, spans=spans)
    return made


def requests(spans: int, seed: int, start_ns: int) -> Iterator[tuple[int, bytes]]:
    """Make requests of whole traces' spans, cut into 500 to 1,000 spans each.

    Args:
        spans: How many in all; a multiple of 50.
        seed: Of ids, numbers and sizes.
        start_ns: When the first trace starts.

    Yields:
        The number of spans of a request, and the request.
    """
    fleet = Fleet(seed, start_ns)
    chance = random.Random(seed + 1)
    waiting: dict[str, list[Span]] = {service: [] for service in _SERVICES}
    sizes = dict.fromkeys(_SERVICES, 0)
    for number in range(spans // SPANS_OF_A_TRACE):
        service = _SERVICES[number % len(_SERVICES)]
        queue = waiting[service]
        queue.extend(fleet.trace())
        sizes[service] = sizes[service] or chance.randrange(500, 1001)
        if len(queue) >= sizes[service]:
            cut, waiting[service] = queue[: sizes[service]], queue[sizes[service] :]
            sizes[service] = 0
            yield len(cut), request(service, cut).SerializeToString()
    for service, queue in waiting.items():
        if queue:
            yield len(queue), request(service, queue).SerializeToString()


def write_file(path: Path, spans: int, seed: int, start_ns: int) -> int:
    """Write framed requests for `_load`; return their bytes."""
    size = 0
    with path.open("wb") as file:
        for count, payload in requests(spans, seed, start_ns):
            file.write(_FRAME.pack(count, len(payload)))
            file.write(payload)
            size += len(payload)
    return size


def read_file(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield what `write_file` wrote: spans and bytes of each request."""
    with path.open("rb") as file:
        while head := file.read(_FRAME.size):
            count, length = _FRAME.unpack(head)
            yield count, file.read(length)


def _resource(service: str) -> Resource:
    return Resource(
        attributes=[
            _attribute("service.name", service),
            _attribute("service.instance.id", f"{service}-7f9c4b"),
            _attribute("deployment.environment.name", "production"),
            _attribute("host.name", "node-12"),
            _attribute("telemetry.sdk.language", "python"),
        ]
    )


def _attribute(key: str, value: object) -> KeyValue:
    return KeyValue(key=key, value=_value(value))


def _value(value: object) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[_value(v) for v in value]))
    return AnyValue(string_value=str(value))
