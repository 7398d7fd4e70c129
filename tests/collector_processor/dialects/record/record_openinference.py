"""OpenInference: its instrumentations of the two packages, and its own spans."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import exporting
from loop import converse
from openinference.instrumentation import OITracer, TraceConfig, using_attributes
from openinference.instrumentation.anthropic import AnthropicInstrumentor
from openinference.instrumentation.openai import OpenAIInstrumentor

traced = exporting.provider()
OpenAIInstrumentor().instrument(tracer_provider=traced)
AnthropicInstrumentor().instrument(tracer_provider=traced)
tracer = OITracer(traced.get_tracer("application"), config=TraceConfig())


@contextmanager
def agent(name: str) -> Iterator[None]:
    given = {"agent.name": name}
    with tracer.start_as_current_span(
        name, openinference_span_kind="agent", attributes=given
    ):
        yield


@contextmanager
def tool(
    name: str, call_id: str, arguments: dict[str, str]
) -> Iterator[Callable[[str], None]]:
    with tracer.start_as_current_span(name, openinference_span_kind="tool") as span:
        span.set_tool(name=name, parameters=arguments)
        span.set_attribute("tool.id", call_id)
        span.set_input(arguments)
        yield span.set_output


with using_attributes(session_id="session-1", user_id="user-1"):
    print(converse(sys.argv[1], agent, tool))
traced.shutdown()
