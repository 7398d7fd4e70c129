"""The client's five-hour windows, in which its subscriptions are limited.

A block begins at the full hour (UTC) of its first call. The next call that comes five
hours after that, or later, or after five hours of silence, begins another one. That is
how `ccusage <https://ccusage.com/guide/blocks-reports>`_ counts them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.int64]

BLOCK_NS: Final = 5 * 3_600_000_000_000
_HOUR_NS: Final = 3_600_000_000_000
_LEAST_NS: Final = 60_000_000_000
"""Less than a minute of work tells nothing of the rate."""


@dataclass(frozen=True, slots=True)
class Block:
    """One window. Times are Unix nanoseconds.

    Attributes:
        start: The full hour at which it begins.
        first: Its first call.
        last: Its last call.
    """

    start: int
    first: int
    last: int

    @property
    def end(self) -> int:
        """When it is over."""
        return self.start + BLOCK_NS

    def is_active(self, now: int) -> bool:
        """Whether a call made now would belong to it."""
        return self.last <= now < self.end

    def rate_and_projection(
        self, cost_usd: float | None, now: int
    ) -> tuple[float | None, float | None]:
        """Return US dollars per hour since its first call, and what that makes by its end."""
        worked = now - self.first
        if cost_usd is None or not self.is_active(now) or worked < _LEAST_NS:
            return None, None
        per_hour = cost_usd * _HOUR_NS / worked
        return per_hour, cost_usd + per_hour * (self.end - now) / _HOUR_NS


def find_blocks(firsts: Times, lasts: Times) -> list[Block]:
    """Divide activity into blocks.

    Args:
        firsts: Starts of calls, or of quarters of an hour with calls, ascending.
        lasts: The last start in each of these.
    """
    blocks: list[Block] = []
    for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True):
        open_block = blocks[-1] if blocks else None
        if (
            open_block is None
            or first >= open_block.end
            or first - open_block.last >= BLOCK_NS
        ):
            blocks.append(Block(first // _HOUR_NS * _HOUR_NS, first, last))
        else:
            blocks[-1] = Block(
                open_block.start, open_block.first, max(last, open_block.last)
            )
    return blocks


def block_of(blocks: list[Block], times: Times) -> NDArray[np.int64]:
    """Return for each time the number of its block."""
    firsts = np.array([block.first for block in blocks], dtype=np.int64)
    return np.searchsorted(firsts, times, side="right") - 1
