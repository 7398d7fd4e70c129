"""History that is enough to call something unusual, and where unusual begins."""

from __future__ import annotations

from functools import lru_cache
from statistics import NormalDist
from typing import Final, cast

from fleetspan_collector.processors.baselines import Baseline, Kind, Measure
from fleetspan_collector.processors.run import Run

_LEAST: Final = 1e-3
"""Seconds, or dollars, below which two values are the same."""
_HUNDREDTH: Final = NormalDist().inv_cdf(0.99)


def enough_of(
    run: Run, kind: str, subject: str, measure: str = "seconds"
) -> Baseline | None:
    """The baseline of something; None when there is too little of it.

    Args:
        run: Whose settings say how much is enough.
        kind: ``run``, ``agent``, ``tool`` or ``model``.
        subject: Its name.
        measure: ``seconds`` or ``usd``.
    """
    found = run.context.baselines.of(cast(Kind, kind), subject, cast(Measure, measure))
    settings = run.settings
    if (
        found is None
        or found.samples < settings.detect_slower_than_usual_samples
        or found.runs < settings.detect_slower_than_usual_runs
    ):
        return None
    return found


def beyond_chance(history: Baseline, looked_at: int) -> float:
    """What only one in a hundred runs passes by chance, if durations are log-normal.

    That is the 99th percentile of the history where one value is looked at, and as much
    further out as it takes where a run has many: with a hundred values something is
    always above its 99th percentile.

    Args:
        history: What has been usual.
        looked_at: How many values of the run are held against it.
    """
    middle = max(history.p50, _LEAST)
    reach = max(history.p99 / middle, 1.0)
    return float(middle * reach ** (_quantile(looked_at) / _HUNDREDTH))


@lru_cache(maxsize=4096)
def _quantile(looked_at: int) -> float:
    return NormalDist().inv_cdf(1 - 0.01 / max(looked_at, 1))
