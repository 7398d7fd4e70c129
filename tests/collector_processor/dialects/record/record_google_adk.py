"""Google's ADK: two agents, one a tool of the other, over LiteLLM."""

from __future__ import annotations

import asyncio

import exporting

traced = exporting.provider()

import loop
from google.adk.agents import LlmAgent
from google.adk.models.lite_llm import LiteLlm
from google.adk.runners import InMemoryRunner
from google.adk.tools.agent_tool import AgentTool
from google.genai import types

model = LiteLlm(model="openai/gpt-5-mini")


def get_weather(city: str) -> str:
    """The weather of a city."""
    return loop.WEATHER


researcher = LlmAgent(
    name="researcher", model=model, instruction=loop.RESEARCHER, description="Asks."
)
lead = LlmAgent(
    name="lead",
    model=model,
    instruction=loop.LEAD,
    tools=[get_weather, AgentTool(agent=researcher)],
)


async def main() -> None:
    runner = InMemoryRunner(agent=lead, app_name="sunshine")
    await runner.session_service.create_session(
        app_name="sunshine", user_id="user-1", session_id="session-1"
    )
    asked = types.Content(role="user", parts=[types.Part(text=loop.QUESTION)])
    async for event in runner.run_async(
        user_id="user-1", session_id="session-1", new_message=asked
    ):
        if event.is_final_response() and event.content:
            print(event.content.parts[0].text)


asyncio.run(main())
traced.shutdown()
