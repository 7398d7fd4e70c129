"""How a call was processed, where that has a price of its own: one set of words.

Each provider names its tiers, speeds and places its own way; one call may have several
(``"batch+us"``). A word that is not in the table stays as it is, and has no price.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

STANDARD: Final = ""
"""What the plain price is for."""

US: Final = "us"
"""Inference in the United States only, for which Anthropic asks a surcharge."""

_SEPARATOR: Final = re.compile(r"[\s,;|+/]+")

_WORDS: Final[Mapping[str, str]] = {
    # Anthropic: usage.service_tier, usage.speed and usage.inference_geo.
    "standard": STANDARD,
    "standard_only": STANDARD,
    "normal": STANDARD,
    "global": STANDARD,
    "not_available": STANDARD,
    # OpenAI: service_tier. "auto" is the request's word for the project's default,
    # which is "default" unless somebody changed it.
    "default": STANDARD,
    "auto": STANDARD,
    # Groq: service_tier. Google Cloud: trafficType.
    "on_demand": STANDARD,
    "on_demand_priority": "priority",
    "on_demand_flex": "flex",
    # Google: ServiceTier.
    "unspecified": STANDARD,
    "service_tier_unspecified": STANDARD,
    "service_tier_standard": STANDARD,
    "service_tier_flex": "flex",
    "service_tier_priority": "priority",
    # Words for the same thing.
    "batches": "batch",
    "batch_api": "batch",
}

_CONTEXT: Final[Mapping[str, Mapping[str, str]]] = {
    "batch": {"processing": "batch"},
    "fast": {"speed": "fast", "service_tier": "fast"},
    "flex": {"service_tier": "flex"},
    "priority": {"service_tier": "priority"},
}
"""The words as genai-prices asks for them (``price_context``)."""


@lru_cache(maxsize=4096)
def words_of(service_tier: str) -> tuple[str, ...]:
    """Return the words of a call that change its price, each once, in order of the alphabet.

    Args:
        service_tier: What the provider said: one word or several, separated by
            ``+``, commas, slashes or spaces.

    Returns:
        Nothing for the standard price, else words such as ``batch``, ``fast``,
        ``flex``, ``priority`` and ``us``.
    """
    said = (word for word in _SEPARATOR.split(service_tier.strip().lower()) if word)
    meant = {_WORDS.get(word.replace("-", "_"), word) for word in said}
    return tuple(sorted(meant - {STANDARD}))


def price_context(words: tuple[str, ...]) -> dict[str, str] | None:
    """Return what genai-prices is asked with; None when it has no such word."""
    context: dict[str, str] = {}
    for word in words:
        if word not in _CONTEXT:
            return None
        context |= _CONTEXT[word]
    return context
