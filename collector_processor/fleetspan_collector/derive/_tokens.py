"""Token vectors of evidence, by the kinds that have a price."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.derive._columns import Columns
from fleetspan_collector.derive.prices import KINDS


def priced_tokens(columns: Columns, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """Tokens of calls by the kinds that have a price; unknown counts as none.

    Cache writes of unknown lifetime count as five-minute writes.

    Returns:
        One row per call, columns as `KINDS`.
    """

    def tokens(name: str) -> NDArray[np.float64]:
        return np.nan_to_num(columns.floats(name)[rows])

    hour = tokens("CacheWrite1hTokens")
    by_kind = {
        "input": tokens("InputTokens"),
        "cache_read": tokens("CacheReadTokens"),
        "cache_write_5m": np.maximum(tokens("CacheWriteTokens") - hour, 0),
        "cache_write_1h": hour,
        "output": tokens("OutputTokens"),
    }
    return np.column_stack([by_kind[kind] for kind in KINDS])
