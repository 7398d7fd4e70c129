"""Prices of one model at one time, and what calls cost by them."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

KINDS: Final = ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
"""The kinds of tokens that have a price, in the order of a rate vector."""

_INPUT: Final = slice(0, 4)


@dataclass(frozen=True, slots=True)
class Rates:
    """Prices of one model at one time.

    Attributes:
        starts: Total input tokens above which each further tier holds, ascending.
        usd_per_token: One row per tier (the first holds from 0), columns as `KINDS`;
            NaN where there is no price.
        usd_per_request: What a call costs whatever its tokens.
        usd_per_web_search: What a search costs that the provider makes during a call;
            NaN when unknown.
    """

    starts: Floats
    usd_per_token: Floats
    usd_per_request: float = 0.0
    usd_per_web_search: float = math.nan

    def cost_usd(self, tokens: Floats, web_searches: Floats | None = None) -> Floats:
        """Price calls; the tier that the whole input reaches holds for all of a call.

        Args:
            tokens: One row per call, columns as `KINDS`.
            web_searches: How many searches the provider made during each call.

        Returns:
            US dollars per call; NaN where something was used that has no price.
        """
        reached = np.searchsorted(
            self.starts, tokens[:, _INPUT].sum(axis=1), side="left"
        )
        used = tokens != 0
        costs = np.where(used, self.usd_per_token[reached], 0) * tokens
        total: Floats = costs.sum(axis=1) + self.usd_per_request
        if web_searches is not None:
            searched = np.where(web_searches != 0, self.usd_per_web_search, 0)
            total += searched * web_searches
        return total

    def times(self, factor: float) -> Rates:
        """Return the same prices, those of tokens times a factor."""
        return replace(self, usd_per_token=self.usd_per_token * factor)
