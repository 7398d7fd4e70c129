"""What attempts in vain cost, beyond what the call would have cost without them."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from fleetspan_collector.derive.call_costs import price_calls
from fleetspan_collector.processors.run import NONE, Run


def attempts_usd(run: Run, attempts: list[int], following: int) -> float | None:
    """What failed attempts at a call cost, in US dollars.

    A refused request has no tokens and costs nothing. Where one was billed, it may have
    put the prefix into the provider's cache, from which the call that worked has read:
    without it that call had paid for its prefix as the first attempt did.

    Args:
        run: The run.
        attempts: Rows of the failed calls, in order.
        following: Row of the call that came after them, -1 for none.

    Returns:
        None when an attempt has tokens but no price.
    """
    calls = run.llm_calls
    usd = calls.floats("CostUsd")[attempts]
    given = calls.floats("InputTokens")[attempts]
    if (np.isnan(usd) & ~np.isnan(given)).any():
        return None
    spent = float(np.nansum(usd))
    billed = [row for row, cost in zip(attempts, usd, strict=True) if cost > 0]
    if not billed or following == NONE:
        return spent
    cached = calls.floats("CacheReadTokens")
    if not cached[following] > cached[billed[0]]:
        return spent
    dearer = _as_first(run, billed[0], following) - calls.floats("CostUsd")[following]
    return spent if np.isnan(dearer) else max(spent - max(float(dearer), 0.0), 0.0)


def _as_first(run: Run, first: int, following: int) -> float:
    """What a call would have cost with the input of the first attempt at it."""
    table = run.llm_calls.table
    call = table.take(pa.array([first]))
    for name in ("OutputTokens", "ReasoningTokens"):
        place = table.column_names.index(name)
        written = table.column(name).take(pa.array([following]))
        call = call.set_column(place, table.schema.field(name), written)
    return float(price_calls(run.context.prices, call).usd[0])
