"""Langfuse: its SDK's observations, and its own OpenAI package."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

os.environ["LANGFUSE_PUBLIC_KEY"] = "pk-lf-none"
os.environ["LANGFUSE_SECRET_KEY"] = "sk-lf-none"
os.environ["LANGFUSE_HOST"] = os.environ["PROVIDER_URL"]

import anthropic
import langfuse.openai  # noqa: F401  (it replaces what the openai package offers)
import loop
from langfuse import get_client, propagate_attributes

client = get_client()


@contextmanager
def agent(name: str) -> Iterator[None]:
    with client.start_as_current_observation(name=name, as_type="agent"):
        yield


@contextmanager
def tool(
    name: str, call_id: str, arguments: dict[str, str]
) -> Iterator[Callable[[str], None]]:
    with client.start_as_current_observation(
        name=name, as_type="tool", input=arguments
    ) as observation:
        yield lambda result: observation.update(output=result)


# Its documentation has users report Anthropic's usage themselves, like this.
whole = anthropic.resources.messages.Messages.create


def create(self: anthropic.resources.messages.Messages, **given: object) -> object:
    with client.start_as_current_observation(
        name="messages.create", as_type="generation", model=str(given["model"])
    ) as generation:
        answer = whole(self, **given)  # type: ignore[arg-type]
        usage = answer.usage
        generation.update(
            model=answer.model,
            usage_details={
                "input": usage.input_tokens,
                "output": usage.output_tokens,
                "cache_read_input_tokens": usage.cache_read_input_tokens,
                "cache_creation_input_tokens": usage.cache_creation_input_tokens,
            },
            cost_details={"input": 0.001, "output": 0.002, "total": 0.003},
        )
        return answer


anthropic.resources.messages.Messages.create = create  # type: ignore[method-assign]

with propagate_attributes(session_id="session-1", user_id="user-1"):
    print(loop.converse(sys.argv[1], agent, tool))
client.flush()
