"""Sums by row: what many things come to for each of those that they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.run import NONE, Indexes


def sum_by_row(
    rows: Indexes, values: NDArray[Any] | None, count: int
) -> NDArray[np.float64]:
    """Add up values by the row that they belong to.

    Args:
        rows: For each value its row; what belongs to none (`NONE`) is left out.
        values: What is added up; None counts.
        count: How many rows there are.
    """
    known = rows != NONE
    weights = None if values is None else values[known].astype(np.float64)
    sums = np.bincount(rows[known], weights=weights, minlength=count)
    return sums.astype(np.float64, copy=False)
