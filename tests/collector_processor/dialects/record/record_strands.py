"""Strands Agents: two agents, one asked by a tool of the other."""

from __future__ import annotations

import sys

import loop
from strands import Agent, tool
from strands.models.anthropic import AnthropicModel
from strands.models.openai import OpenAIModel
from strands.telemetry import StrandsTelemetry

telemetry = StrandsTelemetry()
telemetry.setup_otlp_exporter()


def model() -> object:
    if sys.argv[1] == "openai":
        return OpenAIModel(model_id="gpt-5-mini")
    return AnthropicModel(model_id="claude-sonnet-4-5", max_tokens=500)


@tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return loop.WEATHER


@tool
def ask_researcher(task: str) -> str:
    """Ask the researcher."""
    researcher = Agent(
        model=model(),
        name="researcher",
        system_prompt=loop.RESEARCHER,
        callback_handler=None,
        trace_attributes={"session.id": "session-1"},
    )
    return str(researcher(task))


lead = Agent(
    model=model(),
    name="lead",
    system_prompt=loop.LEAD,
    tools=[get_weather, ask_researcher],
    callback_handler=None,
    trace_attributes={"session.id": "session-1", "user.id": "user-1"},
)
print(lead(loop.QUESTION))
telemetry.tracer_provider.shutdown()
