"""The Anthropic SDK's own spans: its tool runner, which has a loop of its own."""

from __future__ import annotations

import anthropic
import exporting
import loop
from anthropic import beta_tool

traced = exporting.provider()
client = anthropic.Anthropic(open_telemetry={"conversation_id": "session-1"})


def ask(system: str, question: str, tools: list) -> str:  # type: ignore[type-arg]
    runner = client.beta.messages.tool_runner(
        model="claude-sonnet-4-5",
        max_tokens=500,
        system=system,
        messages=[{"role": "user", "content": question}],
        tools=tools,
    )
    return "".join(p.text for p in runner.until_done().content if p.type == "text")


@beta_tool
def get_weather(city: str) -> str:
    """The weather of a city."""
    return loop.WEATHER


@beta_tool
def ask_researcher(task: str) -> str:
    """Ask the researcher."""
    return ask(loop.RESEARCHER, task, [])


print(ask(loop.LEAD, loop.QUESTION, [get_weather, ask_researcher]))
traced.shutdown()
