"""Prices of one model at one time, and what calls cost by them."""

from __future__ import annotations

from dataclasses import dataclass
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
    """

    starts: Floats
    usd_per_token: Floats
    usd_per_request: float = 0.0

    def cost_usd(self, tokens: Floats) -> Floats:
        """Price calls; the tier that the whole input reaches holds for all of a call.

        Args:
            tokens: One row per call, columns as `KINDS`.

        Returns:
            US dollars per call; NaN where tokens were used that have no price.
        """
        reached = np.searchsorted(
            self.starts, tokens[:, _INPUT].sum(axis=1), side="left"
        )
        used = tokens != 0
        costs = np.where(used, self.usd_per_token[reached], 0) * tokens
        total: Floats = costs.sum(axis=1) + self.usd_per_request
        return total

    def times(self, factor: float) -> Rates:
        """Return the same prices, each times a factor."""
        return Rates(
            self.starts, self.usd_per_token * factor, self.usd_per_request * factor
        )
