"""What another policy would have got, from decisions of the one that was in force.

::

    logged decisions (task, model, its chance, quality, cost) ─┐
    another policy: task ─► chance of each model ──────────────┴─► quality and cost, ± how sure

Three estimates. Each decision counts as often as the other policy would have made it,
over how often it was made: inverse propensity scores (IPS). Its self-normalised form
divides by the weights that there are instead of by the decisions. The doubly robust one
starts from what such tasks are expected to give (the back-off of `outcomes`, from parts of
the log that the decision is not in), and corrects that by what the decisions that were made
came to: right if either the propensities or the expectations are, and the one to read.

Nothing can be told of what was never tried: a policy that picks a model where it had no
chance is refused, with the models and the share. Intervals are by empirical likelihood
(see `_likelihood`): weights are skewed, and plain ones miss the truth too often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing._errors import SupportError
from fleetspan_routing._likelihood import interval, quantile
from fleetspan_routing.decision_log import Log, Other, effective

Floats = npt.NDArray[np.float64]

_NEAR: Final = 1e-6
_UNSEEN: Final = 1.5
"""The dearest task may cost so many times what the dearest that was seen did."""
LEVEL: Final = 0.95
FEWEST: Final = 5.0
"""Effective decisions below which nothing is estimated."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A number, and between which it is with 95 % confidence, or as was asked."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """One quantity, estimated three ways; `doubly_robust` is the one to read."""

    ips: Estimate
    self_normalised: Estimate
    doubly_robust: Estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class OffPolicy:
    """What a policy would have got.

    Attributes:
        quality: The mean, 0 to 1.
        cost_usd: The mean of a task; ``None`` when fewer than `FEWEST` costs tell.
        decisions: How many were logged.
        effective: How many of them the estimate is worth, by Kish's rule.
        shares: By model, the share of tasks that the policy gives it.
    """

    quality: Estimates
    cost_usd: Estimates | None
    decisions: int
    effective: float
    shares: Mapping[str, float]


def evaluate(log: Log, other: Other | Floats, *, level: float = LEVEL) -> OffPolicy:
    """Estimate what a policy would have got at the logged tasks' like.

    Args:
        log: What was decided, and what came of it.
        other: The policy that is asked about.
        level: Of the intervals.

    Raises:
        SupportError: When the log cannot tell.
        LogError: When the policy's chances do not add up to 1.
    """
    wanted = log.policy(other)
    weights, most = log.weights(wanted)
    number = effective(weights)
    if number < FEWEST:
        raise SupportError(
            "what this policy would have got cannot be told",
            because=f"the {len(log)} decisions are worth {number:.1f} of its own, of"
            f" {FEWEST:.0f} needed",
            suggestion="explore a larger share, or wait for more outcomes",
            shares={},
        )
    means = wanted.mean(axis=0)
    tops = np.ones(len(log.models))
    return OffPolicy(
        quality=_estimates(log, wanted, weights, most, log.quality, tops, level),
        cost_usd=_of_cost(log, wanted, weights, most, level),
        decisions=len(log),
        effective=number,
        shares={n: float(s) for n, s in zip(log.models, means, strict=True) if s > 0},
    )


def _of_cost(
    log: Log, wanted: Floats, weights: Floats, most: Floats, level: float
) -> Estimates | None:
    known = ~np.isnan(log.cost_usd) & (weights > 0)
    if effective(weights[known]) < FEWEST:
        return None
    tops = np.zeros(len(log.models))
    np.maximum.at(tops, log.chosen[known], _UNSEEN * log.cost_usd[known])
    return _estimates(log, wanted, weights, most, log.cost_usd, tops, level)


def _estimates(
    log: Log,
    wanted: Floats,
    weights: Floats,
    most: Floats,
    values: Floats,
    tops: Floats,
    level: float,
) -> Estimates:
    """Estimate a mean three ways; values are 0 to their model's top, NaN if not known."""
    bounded = values is log.quality
    known = ~np.isnan(values)
    counted = known & (weights > 0)
    guess = log.expected(values, float(values[counted].mean()))[known]
    wanted, weights, values = wanted[known], weights[known], values[known]
    ends = 0.0, max(float(tops.max()), _NEAR)
    reach = float((most * tops).max())
    ips = _mean(weights * values, (0.0, reach), ends, level, bounded)
    own = _normalised(weights, values, most, tops, ends, level, bounded)
    left = values - guess[np.arange(len(values)), log.chosen[known]]
    direct = (wanted * guess).sum(axis=1)
    below = float((most * guess.max(axis=0)).max())
    above = float((most * np.maximum(tops - guess.min(axis=0), 0)).max())
    bounds = float(direct.min()) - below, float(direct.max()) + above
    robust = _mean(direct + weights * left, bounds, ends, level, bounded)
    return Estimates(ips=ips, self_normalised=own, doubly_robust=robust)


def _mean(
    values: Floats,
    bounds: tuple[float, float],
    ends: tuple[float, float],
    level: float,
    bounded: bool = True,
) -> Estimate:
    """A mean of values between two bounds, itself between two ends."""
    value = float(values.mean())
    held = min(max(value, ends[0]), ends[1])
    found = interval(
        lambda at: (values - at, bounds[0] - at, bounds[1] - at),
        held,
        ends,
        quantile(level, values - value, bounded=bounded),
    )
    return Estimate(value=value, low=found[0], high=found[1])


def _normalised(
    weights: Floats,
    values: Floats,
    most: Floats,
    tops: Floats,
    ends: tuple[float, float],
    level: float,
    bounded: bool,
) -> Estimate:
    """A mean over weights: where the weighted distances from it add up to nothing."""
    value = float((weights * values).sum() / weights.sum())
    widest = float(most.max())

    def apart(at: float) -> tuple[Floats, float, float]:
        return weights * (values - at), -widest * at, float((most * (tops - at)).max())

    wide = quantile(level, weights * (values - value), bounded=bounded)
    found = interval(apart, value, ends, wide)
    return Estimate(value=value, low=found[0], high=found[1])


def difference(
    log: Log, one: Other | Floats, other: Other | Floats, *, level: float = LEVEL
) -> Estimate:
    """Return by how much the quality of one policy exceeds another's, doubly robust.

    Of the same decisions, and so surer than the difference of two estimates.

    Raises:
        SupportError: When the log cannot tell.
        LogError: When a policy's chances do not add up to 1.
    """
    wanted = [log.policy(each) for each in (one, other)]
    found = [log.weights(each) for each in wanted]
    guess = log.expected(log.quality, float(log.quality.mean()))
    left = log.quality - guess[np.arange(len(log)), log.chosen]
    direct = ((wanted[0] - wanted[1]) * guess).sum(axis=1)
    values = direct + (found[0][0] - found[1][0]) * left
    most = max(float(most.max()) for _, most in found)
    bounds = float(direct.min()) - most, float(direct.max()) + most
    return _mean(values, bounds, (-1.0, 1.0), level)
