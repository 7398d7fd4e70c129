"""One process of the SDK part: records spans with one SDK, prints what they cost.

``python -m tests.benchmarks._sdk_process VARIANT TURNS``. A turn is an agent with
a model call and a tool call in it, three spans. Every variant writes the same names
and attributes to spans; the batch settings are those of `ENVIRONMENT`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any, Final

VARIANTS: Final = ("opentelemetry", "fleetspan", "fleetspan, spans only")
SPANS_OF_A_TURN: Final = 3
WARM_UP_TURNS: Final = 200
ENVIRONMENT: Final = {
    "OTEL_BSP_SCHEDULE_DELAY": "500",
    "OTEL_BSP_MAX_QUEUE_SIZE": "65536",
    "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "512",
    "OTEL_SERVICE_NAME": "bench",
    "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
}
"""Alike for both; the queue holds all spans, so that none is dropped."""

Turn = Callable[[int], None]


def _opentelemetry() -> tuple[Turn, Callable[[], object]]:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.trace import SpanKind, format_span_id

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    tracer = provider.get_tracer("bench", "1")
    start = tracer.start_as_current_span

    def turn(number: int) -> None:
        with start("invoke_agent coder") as agent:
            agent_id = format_span_id(agent.get_span_context().span_id)
            run_id = agent_id
            common = {
                "fleetspan.run.id": run_id,
                "gen_ai.conversation.id": "s-1",
                "fleetspan.agent.id": agent_id,
                "gen_ai.agent.name": "coder",
            }
            agent.set_attributes(
                {
                    **common,
                    "gen_ai.operation.name": "invoke_agent",
                    "fleetspan.agent.type": "code",
                }
            )
            with start("chat claude-sonnet-4-5", kind=SpanKind.CLIENT) as call:
                call.set_attributes(
                    {
                        **common,
                        "gen_ai.operation.name": "chat",
                        "gen_ai.provider.name": "anthropic",
                        "gen_ai.system": "anthropic",
                        "gen_ai.request.model": "claude-sonnet-4-5",
                        "gen_ai.usage.input_tokens": 8120 + number % 7,
                        "gen_ai.usage.cache_read.input_tokens": 8000,
                        "gen_ai.usage.output_tokens": 340,
                        "gen_ai.response.id": f"msg_{number}",
                        "gen_ai.response.finish_reasons": ("tool_use",),
                    }
                )
            with start("execute_tool Read") as tool:
                tool.set_attributes(
                    {
                        **common,
                        "gen_ai.operation.name": "execute_tool",
                        "gen_ai.tool.name": "Read",
                        "gen_ai.tool.call.id": f"toolu_{number}",
                        "fleetspan.success": True,
                    }
                )

    return turn, provider.shutdown


def _fleetspan(*, spans_only: bool) -> tuple[Turn, Callable[[], object]]:
    import fleetspan

    fleetspan.configure(start_events=not spans_only, metrics=not spans_only)

    def turn(number: int) -> None:
        with fleetspan.agent("coder", type="code", session="s-1"):
            with fleetspan.llm("claude-sonnet-4-5", provider="anthropic") as call:
                call.usage(
                    input_tokens=120 + number % 7,
                    cache_read_tokens=8000,
                    output_tokens=340,
                )
                call.response(id=f"msg_{number}", finish_reason="tool_use")
            with fleetspan.tool("Read", call_id=f"toolu_{number}") as tool:
                tool.success(True)

    return turn, fleetspan.shutdown


def main(variant: str, turns: int) -> None:
    """Record, flush and print the cost."""
    if variant == VARIANTS[0]:
        turn, shutdown = _opentelemetry()
    else:
        turn, shutdown = _fleetspan(spans_only=variant == VARIANTS[2])
    for number in range(WARM_UP_TURNS):
        turn(number)
    began_s, caller_s, process_s = (
        time.monotonic(),
        time.thread_time(),
        time.process_time(),
    )
    for number in range(turns):
        turn(number)
    caller_s = time.thread_time() - caller_s
    loop_s = time.monotonic() - began_s
    shutdown()
    process_s = time.process_time() - process_s
    spans = turns * SPANS_OF_A_TURN
    report: dict[str, Any] = {
        "caller_us_per_span": caller_s / spans * 1e6,
        "process_us_per_span": process_s / spans * 1e6,
        "loop_us_per_span": loop_s / spans * 1e6,
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
