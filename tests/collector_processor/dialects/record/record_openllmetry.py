"""OpenLLMetry: Traceloop's SDK, its decorators and its instrumentations."""

from __future__ import annotations

import os
import sys

os.environ["TRACELOOP_TELEMETRY"] = "false"
os.environ["TRACELOOP_METRICS_ENABLED"] = "false"

import loop
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import agent as as_agent
from traceloop.sdk.decorators import tool as as_tool
from traceloop.sdk.decorators import workflow as as_workflow

Traceloop.init(
    app_name="openllmetry",
    api_endpoint=os.environ["PROVIDER_URL"],
    api_key="none",
    disable_batch=True,
)
Traceloop.set_association_properties({"session_id": "session-1", "user_id": "user-1"})

# Its decorators want functions, so here the loop's tools are methods of their own.
talk = {"openai": loop._chat, "anthropic": loop._messages}[sys.argv[1]]


@as_tool(name="get_weather")
def get_weather(city: str) -> str:
    return loop.WEATHER


@as_agent(name="researcher")
def researcher(task: str) -> str:
    return talk(loop.RESEARCHER, task, [], use)


@as_tool(name="ask_researcher")
def ask_researcher(task: str) -> str:
    return researcher(task)


def use(name: str, call_id: str, arguments: dict[str, str]) -> str:
    return {"get_weather": get_weather, "ask_researcher": ask_researcher}[name](
        **arguments
    )


@as_agent(name="lead")
def lead(question: str) -> str:
    return talk(loop.LEAD, question, ["get_weather", "ask_researcher"], use)


@as_workflow(name="sunshine")
def sunshine() -> str:
    return lead(loop.QUESTION)


print(sunshine())
