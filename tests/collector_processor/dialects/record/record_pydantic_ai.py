"""Logfire and pydantic-ai: two agents, one asked by a tool of the other."""

from __future__ import annotations

import sys

import logfire
import loop
from pydantic_ai import Agent

logfire.configure(send_to_logfire=False, console=False, service_name="pydantic_ai")
logfire.instrument_pydantic_ai()

models = {
    "openai": "openai-chat:gpt-5-mini",
    "anthropic": "anthropic:claude-sonnet-4-5",
}
model = models[sys.argv[1]]
researcher = Agent(model, name="researcher", instructions=loop.RESEARCHER)
lead = Agent(model, name="lead", instructions=loop.LEAD)


@lead.tool_plain
def get_weather(city: str) -> str:
    """The weather of a city."""
    return loop.WEATHER


@lead.tool_plain
async def ask_researcher(task: str) -> str:
    """Ask the researcher."""
    return (await researcher.run(task, conversation_id="session-1")).output


print(lead.run_sync(loop.QUESTION, conversation_id="session-1").output)
logfire.shutdown()
