"""Messages of providers: their texts come out, and go back where they were."""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Final

import pytest

from fleetspan_routing.context import (
    ContextError,
    Message,
    from_anthropic,
    from_openai,
    to_provider,
)

OPENAI: Final[list[dict[str, Any]]] = [
    {"role": "system", "content": "You help."},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "What is it?"},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}},
        ],
    },
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "grep", "arguments": '{"for": "x"}'},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "call_1", "content": "a.py:1: x"},
]

ANTHROPIC: Final[list[dict[str, Any]]] = [
    {"role": "user", "content": "Find x."},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "...", "signature": "s"},
            {"type": "text", "text": "I look."},
            {"type": "tool_use", "id": "t1", "name": "grep", "input": {"for": "x"}},
            {"type": "tool_use", "id": "t2", "name": "read", "input": {"path": "a.py"}},
        ],
    },
    {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "t1", "content": "a.py:1: x"},
            {
                "type": "tool_result",
                "tool_use_id": "t2",
                "content": [{"type": "text", "text": "x = 1"}, {"type": "image"}],
            },
        ],
    },
]


def test_openai() -> None:
    """One message for each text; a tool output knows its tool."""
    assert from_openai(OPENAI) == [
        Message(role="system", content="You help.", place=(0, "content")),
        Message(role="user", content="What is it?", place=(1, "content", 0, "text")),
        Message(role="assistant", content="", arguments='{"for": "x"}'),
        Message(
            role="tool",
            content="a.py:1: x",
            tool_call_id="call_1",
            name="grep",
            place=(3, "content"),
        ),
    ]


def test_anthropic() -> None:
    """Tool results are tool outputs, whatever the role of their message."""
    found = from_anthropic(ANTHROPIC, system="You help.")
    assert [(each.role, each.content, each.name) for each in found] == [
        ("system", "You help.", ""),
        ("user", "Find x.", ""),
        ("assistant", "I look.", ""),
        ("assistant", "", ""),
        ("assistant", "", ""),
        ("tool", "a.py:1: x", "grep"),
        ("tool", "x = 1", "read"),
    ]
    assert found[4].arguments == '{"path": "a.py"}'
    assert found[6].tool_call_id == "t2"


@pytest.mark.parametrize(
    ("given", "found"),
    [(OPENAI, from_openai(OPENAI)), (ANTHROPIC, from_anthropic(ANTHROPIC))],
)
def test_texts_go_back(given: list[dict[str, Any]], found: list[Message]) -> None:
    """Unchanged ones give what was given; of changed ones only the text differs."""
    before = copy.deepcopy(given)
    assert to_provider(given, found) == given
    last = replace(found[-1], content="short")
    made = to_provider(given, [*found[:-1], last])
    assert "short" in str(made[-1])
    assert made[:-1] == given[:-1]
    assert given == before


@pytest.mark.parametrize("message", ["hello", {"content": "x"}])
def test_what_is_no_message_is_said(message: Any) -> None:
    """With its place in the list."""
    for read in (from_openai, from_anthropic):
        with pytest.raises(ContextError, match="message 0 cannot be read"):
            read([message])


def test_a_text_without_a_place_is_said() -> None:
    """When the list is not the one that was read."""
    with pytest.raises(ContextError, match="have nothing at"):
        to_provider(OPENAI[:1], from_openai(OPENAI))
