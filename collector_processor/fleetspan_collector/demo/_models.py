"""The models that the demo's agents use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model and how its provider counts.

    Attributes:
        name: As it is asked for.
        provider: ``gen_ai.provider.name``.
        caching: ``written`` has cache reads and writes that cost, ``automatic`` only
            reads, ``none`` neither.
        reasoning: Share of the output that is reasoning, 0 to 1.
        tokens_per_s: Speed of generation.
    """

    name: str
    provider: str
    caching: Literal["written", "automatic", "none"]
    reasoning: float = 0.0
    tokens_per_s: float = 80.0


OPUS: Final = Model(
    name="claude-opus-4-7", provider="anthropic", caching="written", tokens_per_s=45
)
SONNET: Final = Model(
    name="claude-sonnet-4-5", provider="anthropic", caching="written", tokens_per_s=75
)
HAIKU: Final = Model(
    name="claude-haiku-4-5", provider="anthropic", caching="written", tokens_per_s=160
)
GPT: Final = Model(
    name="gpt-5.2", provider="openai", caching="automatic", reasoning=0.6
)
GEMINI: Final = Model(
    name="gemini-2.5-pro", provider="gcp.gemini", caching="automatic", reasoning=0.4
)
# No list has a price for it: its calls must show as unpriced, not as free.
IN_HOUSE: Final = Model(name="northwind-chat-13b", provider="vllm", caching="none")
