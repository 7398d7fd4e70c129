"""Prices of the public table, `genai-prices <https://pypi.org/project/genai-prices/>`_.

It is asked once per model, half hour (some prices depend on the time of day) and way of
processing, with probes; what it answers is kept as arrays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

import genai_prices
import numpy as np
from genai_prices import Usage, calc_price
from genai_prices.types import PriceCalculation, TieredPrices

from fleetspan_collector.derive._rates import Rates
from fleetspan_collector.derive.service_tiers import US, price_context

VERSION: Final = f"genai-prices {genai_prices.__version__}"
"""Names the table; stored with each cost."""

WINDOW_S: Final = 1800
"""Seconds for which prices are taken to hold."""

_PROBE: Final = 1_000_000
_MOST_MODELS: Final = 4096

_PROVIDERS: Final = {
    "aws.bedrock": "aws",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
}
"""``gen_ai.provider.name`` where genai-prices has another word for it."""

_BEDROCK: Final = re.compile(r"(?:[a-z]{2,7}\.)?anthropic\.claude")
"""A model id of AWS Bedrock, with or without the region it is inferred in."""

_US_FACTORS: Final = {"anthropic": 1.1}
"""The surcharge for inference in the US alone, on every kind of token, by the table's
provider (https://platform.claude.com/docs/en/manage-claude/data-residency)."""

_WRITES_1H: Final = "cache_write_1h_mtok"
_WRITES: Final = "cache_write_mtok"
_SEARCHES: Final = "web_searches_kcount"


@lru_cache(maxsize=_MOST_MODELS)
def list_rates(
    provider: str, model: str, window: int, words: tuple[str, ...]
) -> Rates | None:
    """Return the public prices of a model.

    Args:
        provider: ``gen_ai.provider.name``, ``""`` when unknown.
        model: Name of the model.
        window: Unix time in units of `WINDOW_S`.
        words: How calls were processed, as `words_of` says it.

    Returns:
        None when the table does not know the model, or has no price for calls that
        were processed so.
    """
    when = datetime.fromtimestamp(window * WINDOW_S, UTC)
    plain = tuple(word for word in words if word != US)
    context = price_context(plain)
    if context is None:
        return None
    for candidate, name in _candidates(provider, model):
        try:
            found = _ask(Usage(input_tokens=1), name, candidate, when, context)
        except LookupError:
            continue
        # A provider that knows the model but not the mode leaves it to no other one.
        if plain and not _is_listed(found, when, context):
            return None
        factor = _US_FACTORS.get(found.provider.id) if US in words else 1.0
        if factor is None:
            return None
        return _probe(found, name, candidate, when, context).times(factor)
    return None


def _candidates(provider: str, model: str) -> Iterator[tuple[str | None, str]]:
    """The provider that is named, the one that the name implies, the model's own."""
    if provider:
        yield _PROVIDERS.get(provider, provider), model
    if _BEDROCK.match(model):
        yield "aws", model
    yield None, model
    before, slash, after = model.partition("/")
    if slash and before and after:
        yield before, after


def _is_listed(
    found: PriceCalculation, when: datetime, context: dict[str, str]
) -> bool:
    """Whether the table has a price of its own for calls that were processed so."""
    # Prices that a provider shares with another one are without variants.
    if not any(found.model is model for model in found.provider.models):
        return False
    return any(
        (variant.constraint is None or variant.constraint.active(when))
        and all(context.get(key) == value for key, value in variant.when.items())
        and _same_words(variant.when, context)
        for variant in found.model.price_variants or ()
    )


def _same_words(asked: dict[str, str], context: dict[str, str]) -> bool:
    """Whether one variant is about everything that was asked for, not a part of it."""
    return set(context.values()) == set(asked.values())


def _ask(
    usage: Usage,
    model: str,
    provider: str | None,
    when: datetime,
    context: dict[str, str],
) -> PriceCalculation:
    return calc_price(
        usage,
        model,
        provider_id=provider,
        genai_request_timestamp=when,
        price_context=context or None,
    )


def _probe(
    found: PriceCalculation,
    model: str,
    provider: str | None,
    when: datetime,
    context: dict[str, str],
) -> Rates:
    def usd(**tokens: int) -> float:
        answer = _ask(Usage(**tokens), model, provider, when, context)
        return float(answer.total_price)

    prices = {k: v for k, v in vars(found.model_price).items() if v is not None}
    starts = sorted(
        {
            tier.start
            for price in prices.values()
            if isinstance(price, TieredPrices)
            for tier in price.tiers
        }
    )
    # What is kept for an hour costs more than what is kept for 5 minutes: a table that
    # knows one price for writes knows the one for 5 minutes.
    hour_is_known = _WRITES_1H in prices or _WRITES not in prices
    nothing = usd()
    rows = []
    for start in [0, *starts]:
        # A price holds for totals above its start, so probe just above it.
        total = start + 1 if start else 1
        plain = usd(input_tokens=total)
        read = usd(input_tokens=total, cache_read_tokens=total)
        write = {"input_tokens": total, "cache_write_tokens": total}
        short = usd(**write, cache_write_5m_tokens=total)
        hour = usd(**write, cache_write_1h_tokens=total)
        output = usd(input_tokens=total, output_tokens=_PROBE) - plain
        rows.append(
            [
                (plain - nothing) / total,
                (read - nothing) / total,
                (short - nothing) / total,
                (hour - nothing) / total if hour_is_known else np.nan,
                output / _PROBE,
            ]
        )
    searches_are_known = _SEARCHES in prices
    return Rates(
        np.array(starts, dtype=np.float64),
        np.array(rows),
        nothing,
        usd(web_searches=1) - nothing if searches_are_known else np.nan,
    )
