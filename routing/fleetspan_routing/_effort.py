"""How much effort a finished run took, on one scale from 0 to 10.

Each measure is placed on a logarithmic scale: 5 is the median of 239 public runs of a
coding agent on SWE-bench Verified (mini-SWE-agent), each tenfold is 3 more. Files and
retries, which are often none, go from 0 to 10 at a hundred. The effort is the weighted
mean of the measures that are known.
"""

from __future__ import annotations

import math
from typing import Final

_MIDDLE: Final = 5.0
_PER_TENFOLD: Final = 3.0
_MOST: Final = 10.0

_MEDIAN_TURNS: Final = 35.0
_MEDIAN_TOKENS: Final = 457_000.0
_MEDIAN_USD: Final = 0.38
_MEDIAN_TOOLS: Final = 35.0
"""Of the public runs: model calls, tokens in and out, US dollars, tool calls."""

_MANY: Final = math.log1p(100)
"""Files, or retries, that are as many as can be told apart."""

_TURNS, _TOKENS, _COST, _TOOLS, _FILES, _RETRIES = 0.25, 0.25, 0.25, 0.1, 0.1, 0.05
"""Weights. The first three foretell turns and cost of other models on the same tasks
about equally well (rank correlation 0.49 to 0.56); the rest only where they are told."""


def effort(
    *,
    turns: float | None = None,
    tokens: float | None = None,
    cost_usd: float | None = None,
    tools: float | None = None,
    files: float | None = None,
    retries: float | None = None,
) -> float | None:
    """Score what a finished run took.

    Args:
        turns: Model calls; None when not known, like the others.
        tokens: Tokens in and out, cached ones too.
        cost_usd: US dollars.
        tools: Tool calls.
        files: Files that were changed.
        retries: Attempts beyond the first, of all model calls together.

    Returns:
        0 to 10, never less when a measure is more; None when nothing is known.
    """
    known = [
        (weight, place)
        for weight, place in (
            (_TURNS, _beside(turns, _MEDIAN_TURNS)),
            (_TOKENS, _beside(tokens, _MEDIAN_TOKENS)),
            (_COST, _beside(cost_usd, _MEDIAN_USD)),
            (_TOOLS, _beside(tools, _MEDIAN_TOOLS)),
            (_FILES, _many(files)),
            (_RETRIES, _many(retries)),
        )
        if place is not None
    ]
    if not known:
        return None
    total = sum(weight for weight, _ in known)
    return round(sum(weight * place for weight, place in known) / total, 3)


def _beside(value: float | None, median: float) -> float | None:
    if value is None:
        return None
    if value <= 0:
        return 0.0
    place = _MIDDLE + _PER_TENFOLD * (math.log10(value) - math.log10(median))
    return min(max(place, 0.0), _MOST)


def _many(value: float | None) -> float | None:
    if value is None:
        return None
    return min(_MOST * math.log1p(max(value, 0.0)) / _MANY, _MOST)
