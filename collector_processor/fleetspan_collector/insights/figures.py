"""The figures of a phase: how many, how long, how dear, how often wrong."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.insights.phase import Phase

_DAY_NS: Final = 86_400_000_000_000
_MONTH_DAYS: Final = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Figures of a phase; None where nothing is known.

    Attributes:
        runs: How many runs began.
        running: Of these, how many go on.
        failed: How many ended with an error.
        abandoned: How many nobody saw end.
        failed_share: Failed and abandoned ones of those that are over, 0 to 1.
        runs_with_errors: Runs in which anything failed, over or not.
        agents: Agents.
        llm_calls: Model calls.
        tool_calls: Tool calls.
        errors: Failures of calls and agents, each once.
        tokens: Tokens by kind.
        cache_share: Of the tokens that models read, those from a cache, 0 to 1.
        cost_usd: Cost of the priced calls in US dollars.
        cost_per_run_usd: The same for each run that has a cost.
        cost_per_30_days_usd: At the rate of this phase, if it is a day or longer.
        unpriced_calls: Calls without a price, which the cost leaves out.
        unattributed_usd: What clients say was spent beyond these calls.
        wall_p50_s: The middle of the wall times of runs that have ended, in seconds.
        wall_p95_s: 95 of 100 took at most this.
        wall_s: Wall time of all of them together.
        complexity: Mean complexity of the tasks before they ran, 0 to 10.
        effort: Mean effort that they turned out to take, 0 to 10.
        orphan_spans: Spans whose parent has not come.
        analysed: Runs that processors have looked at.
        set_aside: Runs on which a processor failed or hung.
        findings: What processors have found.
    """

    runs: int
    running: int
    failed: int
    abandoned: int
    failed_share: float | None
    runs_with_errors: int
    agents: int
    llm_calls: int
    tool_calls: int
    errors: int
    tokens: dict[str, int | None]
    cache_share: float | None
    cost_usd: float | None
    cost_per_run_usd: float | None
    cost_per_30_days_usd: float | None
    unpriced_calls: int
    unattributed_usd: float | None
    wall_p50_s: float | None
    wall_p95_s: float | None
    wall_s: float | None
    complexity: float | None
    effort: float | None
    orphan_spans: int
    analysed: int
    set_aside: int
    findings: int


TOKENS: Final = ("input", "cache_read", "cache_write", "output")


def figures_of(phase: Phase) -> Figures:
    """Work the figures of a phase out."""
    runs = phase.runs
    status = runs.strings("status")
    running, failed, abandoned = (
        int((status == each).sum()) for each in ("running", "error", "abandoned")
    )
    over = runs.count - running
    wall = known(runs.floats("wall_s"))
    tokens = {name: _whole(runs, f"{name}_tokens") for name in TOKENS}
    costs = known(runs.floats("cost_usd"))
    cost = total(costs)
    days = (phase.span.until_ns - phase.span.since_ns) / _DAY_NS
    monthly = cost is not None and days >= 1
    return Figures(
        runs=runs.count,
        running=running,
        failed=failed,
        abandoned=abandoned,
        failed_share=(failed + abandoned) / over if over else None,
        runs_with_errors=int((runs.integers("errors") > 0).sum()),
        agents=_count(runs, "agents"),
        llm_calls=_count(runs, "llm_calls"),
        tool_calls=_count(runs, "tool_calls"),
        errors=_count(runs, "errors"),
        tokens=tokens,
        cache_share=cache_share(
            tokens["input"], tokens["cache_read"], tokens["cache_write"]
        ),
        cost_usd=cost,
        cost_per_run_usd=float(costs.mean()) if len(costs) else None,
        cost_per_30_days_usd=(cost or 0.0) / days * _MONTH_DAYS if monthly else None,
        unpriced_calls=_count(runs, "unpriced_calls"),
        unattributed_usd=total(known(runs.floats("unattributed_usd"))),
        wall_p50_s=float(np.median(wall)) if len(wall) else None,
        wall_p95_s=float(np.quantile(wall, 0.95)) if len(wall) else None,
        wall_s=total(wall),
        complexity=_mean(runs, "complexity"),
        effort=_mean(runs, "effort"),
        orphan_spans=_count(runs, "orphan_spans"),
        analysed=_count(runs, "analysed"),
        set_aside=sum(bool(each) for each in runs.table["set_aside"].to_pylist()),
        findings=len(phase.findings),
    )


def known(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values that are known and no less than 0."""
    return values[np.isfinite(values) & (values >= 0)]


def total(values: NDArray[np.float64]) -> float | None:
    """Add known values up; None when there are none."""
    return float(values.sum()) if len(values) else None


def cache_share(
    fresh: float | None, read: float | None, written: float | None
) -> float | None:
    """Return the part of what models read that came from a cache."""
    parts = [part for part in (fresh, read, written) if part is not None]
    whole = sum(parts)
    return read / whole if read is not None and whole > 0 else None


def _mean(runs: Columns, name: str) -> float | None:
    values = known(runs.floats(name))
    return float(values.mean()) if len(values) else None


def _count(runs: Columns, name: str) -> int:
    return int(runs.integers(name).sum())


def _whole(runs: Columns, name: str) -> int | None:
    found = total(known(runs.floats(name)))
    return None if found is None else int(found)
