"""What a run costs after changes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetspan_collector.derive.call_costs import price_calls
from fleetspan_collector.processors.critical_path._plan import Plan
from fleetspan_collector.processors.run import Run, per_run

Floats = NDArray[np.float64]


@per_run
def call_usd(run: Run) -> Floats:
    """What each call cost in US dollars, NaN when that is not known.

    A request that failed and has no tokens costs nothing: providers do not bill those.
    """
    calls = run.llm_calls
    usd = calls.floats("CostUsd")
    failed = (calls.strings("Error") != "") & np.isnan(usd)
    free = failed & np.isnan(calls.floats("InputTokens"))
    free &= np.isnan(calls.floats("OutputTokens"))
    return np.where(free, 0.0, usd)


def costs_after(run: Run, plan: Plan) -> tuple[float | None, float | None]:
    """Return the cost of a run after changes, and by how much that is less.

    Either is None when it is not known: when a call that counts for it has no price.
    """
    before = call_usd(run)
    after = before.copy()
    agents = run.agents.count
    removed = [
        thing - agents
        for thing in plan.removed
        if agents <= thing < agents + run.llm_calls.count
    ]
    after[removed] = 0.0
    kept = {row: model for row, model in plan.models.items() if row not in removed}
    for model in set(kept.values()):
        rows = [row for row, other in kept.items() if other == model]
        after[rows] = _with_model(run, rows, model)
    changed = sorted({*removed, *kept})
    saved = float(np.sum(before[changed] - after[changed]))
    return _known(float(after.sum())), _known(saved)


def _with_model(run: Run, rows: list[int], model: str) -> Floats:
    """What calls would cost with another model; of their provider, or of any."""
    calls = run.llm_calls.table.take(pa.array(rows, pa.int64()))
    place = calls.column_names.index("Model")
    calls = calls.set_column(place, "Model", pa.array([model] * len(rows)))
    usd = price_calls(run.context.prices, calls).usd
    if np.isnan(usd).any():
        place = calls.column_names.index("Provider")
        anyone = calls.set_column(place, "Provider", pa.array([""] * len(rows)))
        usd = np.where(np.isnan(usd), price_calls(run.context.prices, anyone).usd, usd)
    return usd


def _known(usd: float) -> float | None:
    return None if np.isnan(usd) else usd
