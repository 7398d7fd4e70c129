"""OpenTelemetry GenAI, the generation before: gen_ai.system, content as log events."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import exporting
from loop import converse
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor

traced = exporting.provider()
OpenAIInstrumentor().instrument()
tracer = traced.get_tracer("application")


@contextmanager
def agent(name: str) -> Iterator[None]:
    given = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.system": "openai",
        "gen_ai.agent.name": name,
        "gen_ai.conversation.id": "session-1",
    }
    with tracer.start_as_current_span(f"invoke_agent {name}", attributes=given):
        yield


@contextmanager
def tool(
    name: str, call_id: str, arguments: dict[str, str]
) -> Iterator[Callable[[str], None]]:
    given = {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": name,
        "gen_ai.tool.call.id": call_id,
    }
    with tracer.start_as_current_span(f"execute_tool {name}", attributes=given):
        yield lambda result: None


print(converse(sys.argv[1], agent, tool))
traced.shutdown()
