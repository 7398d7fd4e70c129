"""Chat messages without a provider's shape, and the way there and back.

A message of a provider may have several texts (Anthropic puts many tool results into one);
each becomes one `Message`, and remembers its place. Whatever is not text (images, ids,
thinking) is never touched: `to_provider` puts texts back into a copy of what was given.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_routing.context.errors import ContextError

TOOL: Final = "tool"
"""The role of tool outputs: what is reduced and evicted."""

Place = tuple[int | str, ...]
"""Keys and indexes that lead to a text in a provider's messages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One text of a conversation.

    Attributes:
        role: ``system``, ``user``, ``assistant`` or ``tool``.
        content: The text.
        tool_call_id: Which call a tool output answers.
        name: Of the tool.
        arguments: What the assistant calls tools with, as text; counted, never changed.
        tokens: How many it has, where that is known; reduced text is scaled by length.
        place: Where the text is in a provider's messages.
    """

    role: str
    content: str
    tool_call_id: str = ""
    name: str = ""
    arguments: str = ""
    tokens: float | None = None
    place: Place = ()


def from_openai(messages: Sequence[Mapping[str, Any]]) -> list[Message]:
    """Return the texts of messages as OpenAI's chat completions have them.

    Raises:
        ContextError: When they have another shape.
    """
    found: list[Message] = []
    names: dict[str, str] = {}
    for at, message in enumerate(_checked(messages)):
        calls = message.get("tool_calls") or ()
        for call in calls:
            names[str(call.get("id", ""))] = str(
                (call.get("function") or {}).get("name", "")
            )
        asked = " ".join(
            str((call.get("function") or {}).get("arguments", "")) for call in calls
        )
        answered = str(message.get("tool_call_id", ""))
        texts = list(_texts(message.get("content"), (at, "content")))
        for number, (place, text) in enumerate(texts or [((), "")]):
            found.append(
                Message(
                    role=str(message["role"]),
                    content=text,
                    tool_call_id=answered,
                    name=names.get(answered, str(message.get("name", ""))),
                    arguments=asked if number == 0 else "",
                    place=place,
                )
            )
    return found


def from_anthropic(
    messages: Sequence[Mapping[str, Any]], system: str = ""
) -> list[Message]:
    """Return the texts of messages as Anthropic's Messages API has them.

    Args:
        messages: The conversation.
        system: The system prompt, which that API takes apart from it.

    Raises:
        ContextError: When they have another shape.
    """
    found = [Message(role="system", content=system)] if system else []
    names: dict[str, str] = {}
    for at, message in enumerate(_checked(messages)):
        role, content = str(message["role"]), message.get("content")
        if not isinstance(content, list):
            content = [{"type": "text", "text": content or ""}]
            text = str(content[0]["text"])
            found.append(Message(role=role, content=text, place=(at, "content")))
            continue
        for number, block in enumerate(content):
            found += _block(role, block, (at, "content", number), names)
    return found


def _block(
    role: str, block: Mapping[str, Any], place: Place, names: dict[str, str]
) -> Iterator[Message]:
    """Yield the texts of one block of Anthropic's."""
    kind = block.get("type")
    if kind == "text":
        yield Message(
            role=role, content=str(block.get("text", "")), place=(*place, "text")
        )
    elif kind == "tool_use":
        names[str(block.get("id", ""))] = str(block.get("name", ""))
        asked = json.dumps(block.get("input"), ensure_ascii=False)
        yield Message(role=role, content="", arguments=asked)
    elif kind == "tool_result":
        call = str(block.get("tool_use_id", ""))
        for inner, text in _texts(block.get("content"), (*place, "content")):
            yield Message(
                role=TOOL,
                content=text,
                tool_call_id=call,
                name=names.get(call, ""),
                place=inner,
            )


def to_provider(
    original: Sequence[Mapping[str, Any]], messages: Sequence[Message]
) -> list[dict[str, Any]]:
    """Return a copy of a provider's messages with these texts in their places.

    Args:
        original: What `from_openai` or `from_anthropic` was given.
        messages: What it returned, after the optimiser.

    Raises:
        ContextError: When a text has no place there.
    """
    made: list[dict[str, Any]] = copy.deepcopy([dict(each) for each in original])
    for message in messages:
        if not message.place:
            continue
        at: Any = made
        try:
            for key in message.place[:-1]:
                at = at[key]
            at[message.place[-1]] = message.content
        except (KeyError, IndexError, TypeError):
            raise ContextError(
                "a text cannot be put back",
                f"the given messages have nothing at {message.place!r}",
                "the same list that the texts were read from",
            ) from None
    return made


def _checked(messages: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    for at, message in enumerate(messages):
        if not isinstance(message, Mapping) or "role" not in message:
            raise ContextError(
                f"message {at} cannot be read",
                f"got {str(message)[:80]!r}, which has no role",
                'mappings such as {"role": "user", "content": "..."}',
            )
    return messages


def _texts(content: object, place: Place) -> Iterator[tuple[Place, str]]:
    """Yield the texts of a content that is one, or a list of parts."""
    if isinstance(content, str):
        yield place, content
    elif isinstance(content, list):
        for number, part in enumerate(content):
            if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                yield (*place, number, "text"), part["text"]
