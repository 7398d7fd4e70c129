"""OpenInference over OpenAI's Agents SDK: a hand-off, and an agent as a tool."""

from __future__ import annotations

import asyncio
import sys

import exporting
import loop
from agents import Agent, Runner, function_tool, set_tracing_export_api_key
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

traced = exporting.provider()
OpenAIAgentsInstrumentor().instrument(tracer_provider=traced)
set_tracing_export_api_key("none")


@function_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return loop.WEATHER


model = "gpt-5-mini"
researcher = Agent(name="researcher", instructions=loop.RESEARCHER, model=model)
if sys.argv[1] == "hand-off":
    lead = Agent(
        name="lead",
        instructions=loop.LEAD,
        model=model,
        tools=[get_weather],
        handoffs=[researcher],
    )
else:
    asked = researcher.as_tool("ask_researcher", "Ask the researcher.")
    lead = Agent(
        name="lead", instructions=loop.LEAD, model=model, tools=[get_weather, asked]
    )


async def main() -> None:
    with using_attributes(session_id="session-1", user_id="user-1"):
        print((await Runner.run(lead, loop.QUESTION)).final_output)


asyncio.run(main())
traced.shutdown()
