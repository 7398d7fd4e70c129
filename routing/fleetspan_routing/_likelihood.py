"""Intervals of a mean by empirical likelihood, for values that are known to be bounded.

Weighted outcomes are skewed: most weights are 0 and a few are large, so an interval of plus
and minus two standard errors misses the truth too often, and says nothing at all where the
few that were tried all went well. This asks instead how unlikely the sample is at its
likeliest under a given mean (Owen 1988), where chance may also fall on values that were
possible and not seen (Karampatziakis, Langford and Mineiro 2020): five of five good ones do
not make a certainty. The quantile has Bartlett's correction.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_STEPS: Final = 60
_TINY: Final = 1e-12


def quantile(level: float, apart: Floats, *, bounded: bool = True) -> float:
    """Return how far a mean may be off, in standard deviations.

    The normal quantile with Bartlett's correction of the likelihood ratio of a mean
    (DiCiccio, Hall and Romano 1991), which widens it where a few values make the mean.
    Of values without a bound that is known beforehand, as costs are, Student's if that is
    wider, by twice Kish's number of squares: the few that make the variance may not be
    the largest that there are.

    Args:
        level: For example 0.95.
        apart: The values, less their mean.
        bounded: Whether it is known how large a value can be.
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    squares = apart * apart
    variance = float(squares.mean())
    if variance <= _TINY * float(np.abs(apart).max()):
        return z
    skewed = float((squares * apart).mean()) ** 2 / variance**3
    tails = float((squares * squares).mean()) / variance**2
    number = len(apart)
    corrected = z * math.sqrt(1 + max(tails / 2 - skewed / 3, 0.0) / number)
    return corrected if bounded else max(corrected, _student(z, 2 * number / tails - 1))


def _student(z: float, freedom: float) -> float:
    """Student's quantile by the normal one (Cornish and Fisher's expansion).

    Within 3 % from two degrees of freedom on; fewer count as two.
    """
    v = max(freedom, 2.0)
    terms = (
        z,
        (z**3 + z) / (4 * v),
        (5 * z**5 + 16 * z**3 + 3 * z) / (96 * v**2),
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * v**3),
    )
    return math.fsum(terms)


def unlikely(apart: Floats, lowest: float, highest: float) -> float:
    """Return twice the loss in log-likelihood when the mean of the values is taken to be 0.

    Args:
        apart: The values, less the mean that is in question.
        lowest: The least that a value could be, likewise less it.
        highest: The most.
    """
    lowest = min(lowest, float(apart.min()))
    highest = max(highest, float(apart.max()))
    if lowest >= 0 or highest <= 0:
        return 0.0 if lowest == highest == 0 else math.inf
    total = float(apart.sum())
    if total == 0:
        return 0.0
    # The multiplier has the sign of the mean, and leaves every chance at least nothing.
    end = (1 - _TINY) * (-1 / lowest if total > 0 else -1 / highest)
    at = _multiplier(apart, end)
    return max(2 * float(np.log1p(at * apart).sum()), 0.0)


def _multiplier(apart: Floats, end: float) -> float:
    """Where the sum of logarithms is largest between 0 and an end (Newton, kept inside)."""
    sign = math.copysign(1.0, end)

    def slope(at: float) -> tuple[float, float]:
        shares = apart / (1 + at * apart)
        return sign * float(shares.sum()), float((shares * shares).sum())

    if slope(end)[0] >= 0:
        return end
    inside, outside, at = 0.0, end, 0.0
    for _ in range(_STEPS):
        value, curve = slope(at)
        if value > 0:
            inside = at
        else:
            outside = at
        ahead = at + sign * value / curve
        between = min(inside, outside) < ahead < max(inside, outside)
        ahead = ahead if between else (inside + outside) / 2
        if abs(ahead - at) <= 1e-10 * abs(end):
            break
        at = ahead
    return at


def interval(
    apart: Callable[[float], tuple[Floats, float, float]],
    value: float,
    ends: tuple[float, float],
    wide: float,
) -> tuple[float, float]:
    """Return the values that are not too unlikely.

    Args:
        apart: Of a value in question: what should be 0 on average, and its bounds.
        value: The estimate, at which it is.
        ends: The least and the most that the value can be.
        wide: How far it may be off, in standard deviations.
    """

    def beyond(at: float) -> float:
        found = unlikely(*apart(at))
        return math.sqrt(found) - wide if math.isfinite(found) else math.inf

    low, high = (_crossing(beyond, value, end, wide) for end in ends)
    return low, high


def _crossing(
    beyond: Callable[[float], float], value: float, end: float, wide: float
) -> float:
    """Where it begins to be too unlikely on the way to an end; the end if nowhere."""
    inside, outside = value, end
    at_outside = beyond(outside)
    if at_outside <= 0:
        return end
    at_inside = -wide
    side = 0
    for _ in range(_STEPS):
        if abs(outside - inside) <= 1e-6 * max(abs(value), abs(end), _TINY):
            break
        if math.isfinite(at_outside):
            share = at_inside / (at_inside - at_outside)
            at = inside + share * (outside - inside)
        else:
            at = (inside + outside) / 2
        found = beyond(at)
        # Illinois: an end that stays twice counts half, or it would never move.
        if found <= 0:
            inside, at_inside = at, found
            at_outside, side = at_outside / 2 if side < 0 else at_outside, -1
        else:
            outside, at_outside = at, found
            at_inside, side = at_inside / 2 if side > 0 else at_inside, 1
        if abs(found) < 1e-4:
            return at
    return outside
