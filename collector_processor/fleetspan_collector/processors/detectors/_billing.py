"""What calls would have been billed with fewer tokens of input."""

from __future__ import annotations

from typing import Final

import numpy as np

from fleetspan_collector.derive.prices import KINDS, Floats

OLDEST_FIRST: Final = ("cache_read", "cache_write_5m", "cache_write_1h", "input")
"""For tokens from the middle of a conversation: they were read, if anything was."""

NEWEST_FIRST: Final = ("input", "cache_write_5m", "cache_write_1h", "cache_read")
"""For tokens at its end, which no call had before."""


def without(billed: Floats, tokens: Floats, order: tuple[str, ...]) -> Floats:
    """Take tokens from the input of calls.

    Args:
        billed: Tokens, one row per call, columns as `prices.KINDS`.
        tokens: How many to take, per call.
        order: From which kinds, the first one first.
    """
    left = billed.copy()
    still = np.array(tokens, dtype=np.float64)
    for kind in order:
        column = left[:, KINDS.index(kind)]
        taken = np.minimum(column, still)
        column -= taken
        still -= taken
    return left
