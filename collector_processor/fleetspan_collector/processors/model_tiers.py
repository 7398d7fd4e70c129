"""Weak, middling and strong models, told by their price.

The price of a million tokens, of which three quarters are input without cache and one
quarter is output, at the provider's list price or the user's own. The bounds part the
models as the original system's table of tiers did (weak: haiku, flash; base: sonnet,
gemini pro; strong: opus, gpt pro), at the prices of November 2026.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import numpy as np

from fleetspan_collector.derive.prices import KINDS, PriceBook

WEAK_BELOW_USD: Final = 2.5
"""US dollars per million mixed tokens below which a model is weak."""

STRONG_FROM_USD: Final = 8.0
"""From here on it is strong."""

_MIXED: Final = np.array(
    [[{"input": 750.0, "output": 250.0}.get(kind, 0.0) for kind in KINDS]]
)
"""A thousand tokens: many at once would be charged at the price of long contexts."""
_PER_MILLION: Final = 1_000
_DAY_NS: Final = 86_400_000_000_000
_LAST_DAY: Final = 47_482
"""In the year 2100; a clock may say anything."""
_MOST_REMEMBERED: Final = 4096
_known: dict[tuple[str, str, int], float | None] = {}


class Tier(StrEnum):
    """How capable a model is held to be, by its price."""

    WEAK = "weak"
    BASE = "base"
    STRONG = "strong"


def tier_of(prices: PriceBook, model: str, at_ns: int) -> Tier | None:
    """Tell the tier of a model; None when it has no price.

    Args:
        prices: What tokens cost.
        model: Name of the model.
        at_ns: When, in Unix nanoseconds; prices change.
    """
    usd = mixed_usd(prices, model, at_ns)
    if usd is None:
        return None
    if usd < WEAK_BELOW_USD:
        return Tier.WEAK
    return Tier.BASE if usd < STRONG_FROM_USD else Tier.STRONG


def mixed_usd(prices: PriceBook, model: str, at_ns: int) -> float | None:
    """US dollars per million tokens, three quarters input and one quarter output."""
    day = min(max(at_ns // _DAY_NS, 0), _LAST_DAY)
    key = (prices.version, model, day)
    if key not in _known:
        if len(_known) >= _MOST_REMEMBERED:
            _known.clear()
        at_s = np.array([day * 86_400], dtype=np.int64)
        usd = float(prices.cost_usd([""], [model], at_s, _MIXED)[0])
        _known[key] = None if np.isnan(usd) else usd * _PER_MILLION
    return _known[key]
