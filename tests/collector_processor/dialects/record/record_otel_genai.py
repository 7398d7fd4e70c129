"""OpenTelemetry GenAI, newest generation: the instrumentations of its own project."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"

import exporting
from loop import converse
from opentelemetry.instrumentation.genai.anthropic import AnthropicInstrumentor
from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor
from opentelemetry.util.genai.handler import TelemetryHandler

traced = exporting.provider()
OpenAIInstrumentor().instrument()
AnthropicInstrumentor().instrument()
handler = TelemetryHandler(tracer_provider=traced)


@contextmanager
def agent(name: str) -> Iterator[None]:
    with handler.invoke_local_agent(agent_name=name, conversation_id="session-1"):
        yield


@contextmanager
def tool(
    name: str, call_id: str, arguments: dict[str, str]
) -> Iterator[Callable[[str], None]]:
    with handler.tool(name, tool_type="function") as invocation:
        invocation.tool_call_id = call_id
        invocation.arguments = json.dumps(arguments)

        def finish(result: str) -> None:
            invocation.tool_result = result

        yield finish


print(converse(sys.argv[1], agent, tool))
traced.shutdown()
