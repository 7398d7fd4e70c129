"""Microsoft Agent Framework: two agents, one a tool of the other, in a workflow."""

from __future__ import annotations

import asyncio
import sys

import exporting
import loop
from agent_framework import Agent, WorkflowBuilder, tool
from agent_framework.anthropic import AnthropicClient
from agent_framework.observability import enable_instrumentation
from agent_framework.openai import OpenAIChatClient

traced = exporting.provider()
enable_instrumentation(enable_sensitive_data=True)


def client() -> object:
    if sys.argv[1] == "openai":
        return OpenAIChatClient(model="gpt-5-mini")
    return AnthropicClient(model="claude-sonnet-4-5")


@tool(approval_mode="never_require")
def get_weather(city: str) -> str:
    """The weather of a city."""
    return loop.WEATHER


researcher = Agent(client=client(), name="researcher", instructions=loop.RESEARCHER)
lead = Agent(
    client=client(),
    name="lead",
    instructions=loop.LEAD,
    tools=[get_weather, researcher.as_tool(name="ask_researcher")],
)
workflow = WorkflowBuilder(start_executor=lead, name="sunshine").build()


async def main() -> None:
    result = await workflow.run(loop.QUESTION)
    print(result.get_outputs())


asyncio.run(main())
traced.shutdown()
