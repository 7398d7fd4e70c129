"""The conversation as an application drives it that talks to a model's own package.

A recorder gives what its convention has for agents and tools; the calls are recorded
by the instrumentation of the package. A framework has a loop of its own and does not
need this one.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

QUESTION = "How warm is it in Lisbon, and how sunny is Lisbon?"
LEAD = "You are the lead. Use your tools, then answer."
RESEARCHER = "You are the researcher. Answer in one sentence."
WEATHER = "18 degrees and sunny"

Agent = Callable[[str], AbstractContextManager[Any]]
Tool = Callable[
    [str, str, dict[str, str]], AbstractContextManager[Callable[[str], None]]
]
"""Takes a name, a call id and arguments; gives a function that takes the result."""

_TOOLS = {
    "get_weather": ("The weather of a city.", "city"),
    "ask_researcher": ("Ask the researcher.", "task"),
}


def converse(provider: str, agent: Agent, tool: Tool) -> str:
    """Have the conversation.

    Args:
        provider: ``openai``, ``openai-responses`` or ``anthropic``.
        agent: Opens what stands for an agent.
        tool: Opens what stands for a tool call.

    Returns:
        The answer.
    """
    talk = {"openai": _chat, "openai-responses": _responses, "anthropic": _messages}
    lead = talk[provider]

    def use(name: str, call_id: str, arguments: dict[str, str]) -> str:
        with tool(name, call_id, arguments) as finish:
            result = WEATHER
            if name == "ask_researcher":
                with agent("researcher"):
                    result = lead(RESEARCHER, arguments["task"], [], use)
            finish(result)
            return result

    with agent("lead"):
        return lead(LEAD, QUESTION, list(_TOOLS), use)


def _schema(name: str) -> dict[str, Any]:
    argument = _TOOLS[name][1]
    return {
        "type": "object",
        "properties": {argument: {"type": "string"}},
        "required": [argument],
        "additionalProperties": False,
    }


Use = Callable[[str, str, dict[str, str]], str]


def _chat(system: str, question: str, tools: list[str], use: Use) -> str:
    import openai

    client = openai.OpenAI()
    messages: list[Any] = [
        {"role": "system", "content": system},
        {"role": "user", "content": question},
    ]
    named = [
        {
            "type": "function",
            "function": {
                "name": name,
                "description": _TOOLS[name][0],
                "parameters": _schema(name),
            },
        }
        for name in tools
    ]
    given: dict[str, Any] = {"tools": named} if named else {}
    while True:
        answer = client.chat.completions.create(
            model="gpt-5-mini", messages=messages, **given
        )
        message = answer.choices[0].message
        messages.append(message.model_dump(exclude_none=True))
        if not message.tool_calls:
            return str(message.content)
        for call in message.tool_calls:
            arguments = json.loads(call.function.arguments)
            result = use(call.function.name, call.id, arguments)
            messages.append(
                {"role": "tool", "tool_call_id": call.id, "content": result}
            )


def _responses(system: str, question: str, tools: list[str], use: Use) -> str:
    import openai

    client = openai.OpenAI()
    items: list[Any] = [{"role": "user", "content": question}]
    named = [
        {
            "type": "function",
            "name": name,
            "description": _TOOLS[name][0],
            "parameters": _schema(name),
            "strict": True,
        }
        for name in tools
    ]
    given: dict[str, Any] = {"tools": named} if named else {}
    while True:
        answer = client.responses.create(
            model="gpt-5-mini", instructions=system, input=items, **given
        )
        calls = [item for item in answer.output if item.type == "function_call"]
        if not calls:
            return str(answer.output_text)
        for call in calls:
            items.append(
                {
                    "type": "function_call",
                    "call_id": call.call_id,
                    "name": call.name,
                    "arguments": call.arguments,
                }
            )
            result = use(call.name, call.call_id, json.loads(call.arguments))
            items.append(
                {
                    "type": "function_call_output",
                    "call_id": call.call_id,
                    "output": result,
                }
            )


def _messages(system: str, question: str, tools: list[str], use: Use) -> str:
    import anthropic

    client = anthropic.Anthropic()
    messages: list[Any] = [{"role": "user", "content": question}]
    named = [
        {
            "name": name,
            "description": _TOOLS[name][0],
            "input_schema": _schema(name),
        }
        for name in tools
    ]
    given: dict[str, Any] = {"tools": named} if named else {}
    while True:
        answer = client.messages.create(
            model="claude-sonnet-4-5",
            max_tokens=500,
            system=system,
            messages=messages,
            **given,
        )
        messages.append(
            {"role": "assistant", "content": [p.model_dump() for p in answer.content]}
        )
        calls = [part for part in answer.content if part.type == "tool_use"]
        if not calls:
            return "".join(p.text for p in answer.content if p.type == "text")
        results = [
            {
                "type": "tool_result",
                "tool_use_id": call.id,
                "content": use(call.name, call.id, dict(call.input)),
            }
            for call in calls
        ]
        messages.append({"role": "user", "content": results})
