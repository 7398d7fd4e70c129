"""Whether a difference between two phases is more than noise, and how large it is.

Runs are what is drawn, not calls: the calls of one run have too much in common. A run
is held only against runs of its own name (a stratum), so that a different mix of work
is not taken for a change of any of it.

* Test: Mann-Whitney's rank sum, exact where few runs allow it (all orders are tried),
  with the normal approximation and a correction for ties elsewhere; over several strata
  `van Elteren's <https://doi.org/10.1080/03610926.2020.1738487>`_ sum of them.
* Many comparisons: p-values are adjusted by Benjamini and Hochberg, so that where
  nothing has changed at most one review in twenty (`LEVEL`) names anything.
* Size: the earlier phase weighted with the later one's mix, with a 95 % bootstrap
  interval over runs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Centre = Literal["median", "mean"]

LEVEL: Final = 0.05
"""Share of reviews that may name a change where there is none."""
FEWEST_RUNS: Final = 5
"""Runs that each phase must have for a comparison."""
_MOST_ORDERS: Final = 20_000
_RESAMPLES: Final = 1_000
_FEWEST_RESAMPLES: Final = 200
_DRAWS: Final = 4_000_000
"""Numbers that one bootstrap draws at most: 30 MB and a tenth of a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Samples:
    """What one thing measured, run by run.

    Attributes:
        amount: The amount in each run, such as seconds of all calls of a tool.
        count: How many share it, such as the calls; more than 0.
        stratum: A number for the run's name.
        later: Whether the run is of the later phase.
        run: The run's row among the runs of its phase.
    """

    amount: Floats
    count: Floats
    stratum: NDArray[np.int64]
    later: NDArray[np.bool_]
    run: NDArray[np.int64]

    def where(self, chosen: NDArray[np.bool_]) -> Samples:
        """Only some of the runs."""
        return Samples(
            amount=self.amount[chosen],
            count=self.count[chosen],
            stratum=self.stratum[chosen],
            later=self.later[chosen],
            run=self.run[chosen],
        )

    def comparable(self) -> Samples:
        """Only strata that both phases have."""
        both = np.intersect1d(self.stratum[self.later], self.stratum[~self.later])
        return self.where(np.isin(self.stratum, both))

    @property
    def enough(self) -> bool:
        """Whether both phases have runs enough."""
        later = int(self.later.sum())
        return min(later, len(self.later) - later) >= FEWEST_RUNS


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How large a difference is, in the unit of the measure.

    Attributes:
        before: The earlier phase, with the later one's mix of strata.
        after: The later phase.
        low: Lower end of the 95 % interval of ``after - before``.
        high: Its upper end.
    """

    before: float
    after: float
    low: float
    high: float


def p_value(samples: Samples) -> float:
    """Return how likely such a difference is where there is none, two-sided."""
    values = samples.amount / samples.count
    strata = [samples.stratum == each for each in np.unique(samples.stratum)]
    if len(strata) == 1:
        later, earlier = values[samples.later], values[~samples.later]
        if math.comb(len(values), len(later)) <= _MOST_ORDERS:
            return _exact(earlier, later)
    excess = variance = 0.0
    for inside in strata:
        later, earlier = values[inside & samples.later], values[inside & ~samples.later]
        above, spread = _rank_sum(earlier, later)
        # Van Elteren's weights: the best ones against a shift of all strata alike.
        weight = 1 / (inside.sum() + 1)
        excess += weight * above
        variance += weight * weight * spread
    if variance <= 0:
        return 1.0
    return math.erfc(abs(excess) / math.sqrt(2 * variance))


def _rank_sum(earlier: Floats, later: Floats) -> tuple[float, float]:
    """Return the later ones' rank sum less what is expected, and its variance."""
    n, m = len(later), len(earlier)
    both = np.concatenate([earlier, later])
    ranks, ties = _ranks(both)
    total = n + m
    if total < 2:
        return 0.0, 0.0
    above = float(ranks[m:].sum()) - n * (total + 1) / 2
    tied = float((ties**3 - ties).sum())
    return above, n * m / 12 * (total + 1 - tied / (total * (total - 1)))


def _ranks(values: Floats) -> tuple[Floats, Floats]:
    """Return ranks from 1, the middle one for ties, and how many share each value."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    middle = ends - (counts - 1) / 2
    return middle[place], counts.astype(np.float64)


def _exact(earlier: Floats, later: Floats) -> float:
    ranks, _ = _ranks(np.concatenate([earlier, later]))
    n, total = len(later), len(ranks)
    expected = n * (total + 1) / 2
    found = abs(float(ranks[len(earlier) :].sum()) - expected)
    orders = np.array(list(itertools.combinations(range(total), n)), dtype=np.int64)
    sums = ranks[orders].sum(axis=1)
    return float(np.mean(np.abs(sums - expected) >= found - 1e-9))


def only_later_p(runs_before: int, runs_after: int, seen_after: int) -> float:
    """Return how likely it is that all runs with something are later ones, by chance."""
    total = runs_before + runs_after
    return math.comb(runs_after, seen_after) / math.comb(total, seen_after)


def adjusted(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for their number, by Benjamini and Hochberg."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__, reverse=True)
    found, least = [1.0] * len(p_values), 1.0
    for place, index in enumerate(order):
        rank = len(p_values) - place
        least = min(least, p_values[index] * len(p_values) / rank)
        found[index] = least
    return found


def size(samples: Samples, centre: Centre) -> Size:
    """Return how large the difference is; the same samples always give the same."""
    strata = [samples.stratum == each for each in np.unique(samples.stratum)]
    draws = _DRAWS // max(len(samples.amount), 1)
    resamples = min(max(draws, _FEWEST_RESAMPLES), _RESAMPLES)
    rng = np.random.default_rng(0)
    weights = before = after = 0.0
    apart = np.zeros(resamples)
    for inside in strata:
        later = samples.where(inside & samples.later)
        earlier = samples.where(inside & ~samples.later)
        # What the later phase had of it: the earlier one is seen with the same mix.
        weight = float(later.count.sum() if centre == "mean" else len(later.count))
        weights += weight
        before += weight * float(_centre(earlier, centre))
        after += weight * float(_centre(later, centre))
        drawn = _drawn(later, centre, resamples, rng)
        apart += weight * (drawn - _drawn(earlier, centre, resamples, rng))
    low, high = np.quantile(apart / weights, [0.025, 0.975])
    return Size(
        before=before / weights, after=after / weights, low=float(low), high=float(high)
    )


def _centre(samples: Samples, centre: Centre) -> np.float64:
    if centre == "median":
        return np.float64(np.median(samples.amount / samples.count))
    return np.float64(samples.amount.sum() / samples.count.sum())


def _drawn(
    samples: Samples, centre: Centre, resamples: int, rng: np.random.Generator
) -> Floats:
    number = len(samples.amount)
    chosen = rng.integers(0, number, (resamples, number))
    if centre == "median":
        found: Floats = np.median((samples.amount / samples.count)[chosen], axis=1)
        return found
    sums: Floats = samples.amount[chosen].sum(axis=1)
    counts: Floats = samples.count[chosen].sum(axis=1)
    return sums / counts
