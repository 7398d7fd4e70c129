"""What a client says that a session cost, and that no call accounts for."""

from __future__ import annotations

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.derive.call_costs import TOKEN_COLUMNS, price_calls
from fleetspan_collector.derive.ownership import Ownership
from fleetspan_collector.derive.prices import PriceBook

Floats = NDArray[np.float64]

COST_STATE: Final = "cost-state"
"""The key of a session's own running total of US dollars, as its transcript has it."""

_NOTHING_USD: Final = 1e-6


def unattributed_usd(
    columns: Columns,
    owners: Ownership,
    calls: pa.Table,
    prices: PriceBook,
    run_code: NDArray[np.int64],
    count: int,
) -> Floats:
    """For each run the claimed cost beyond its calls; NaN where nothing is claimed.

    A forked session's total includes what it was forked from, so the calls that its
    transcript copied are taken off.

    Args:
        columns: Evidence.
        owners: Who owns what.
        calls: Rows of ``canonical_llm_calls``, in the order of ``owners.calls``.
        prices: What tokens cost.
        run_code: For each row of evidence the number of its run.
        count: How many runs there are.
    """
    claimed = np.full(count, np.nan)
    kind = columns.strings("Kind")
    totals = np.flatnonzero((columns.strings("Key") == COST_STATE) & (kind == "other"))
    if not len(totals):
        return claimed
    claimed[run_code[totals]] = columns.floats("ReportedCostUsd")[totals]
    ours = calls["CostUsd"].to_numpy(zero_copy_only=False)
    reported = calls["ReportedCostUsd"].to_numpy(zero_copy_only=False)
    known = np.nan_to_num(np.where(np.isnan(reported), ours, reported))
    copied = np.flatnonzero(kind == "copied")
    earlier = np.nan_to_num(_cost(columns, copied, prices))
    spent = np.bincount(
        np.concatenate([run_code[owners.calls], run_code[copied]]),
        weights=np.concatenate([known, earlier]),
        minlength=count,
    )
    left = np.maximum(claimed - spent, 0.0)
    return np.where(left < _NOTHING_USD, 0.0 * left, left)


def _cost(columns: Columns, rows: NDArray[np.int64], prices: PriceBook) -> Floats:
    names = ("Provider", "Model", "StartTime", *TOKEN_COLUMNS)
    told = columns.table.select([*names, "ServiceTier", "WebSearches"])
    return price_calls(prices, told.take(pa.array(rows))).usd
