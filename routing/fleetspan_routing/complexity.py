"""How complex a task looks before it runs, and how much effort it took.

Four factors, each visible, that add up to 0 to 10: the size of the context, the kind of
task, the files that it is about, and how often weaker models have failed at this kind.
It is a description and a prior. Measured on public outcomes, choosing a model by it is
no better than a coin (see the README).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fleetspan_routing._effort import effort
from fleetspan_routing._task_kinds import HARDNESS, TaskKind, classify

__all__ = [
    "HARDNESS",
    "MOST",
    "Complexity",
    "TaskKind",
    "classify",
    "effort",
    "failure_share",
    "original_score",
    "score",
]

MOST: Final = 10.0
"""The most that a score can be."""

_CONTEXT_STEPS: Final = ((1_000, 0.0), (10_000, 1.0), (50_000, 2.0), (100_000, 3.0))
"""Tokens and points. From 10,000 on the original's thresholds, without its jumps:
between them the points grow with the logarithm."""
_FILE_STEPS: Final = ((1, 0.0), (4, 1.0), (11, 2.0))
"""Files and points, likewise."""
_KIND_POINTS: Final = 0.8
"""Points per unit of hardness: the hardest kinds have 8, so that a security review is
beyond a middling model (7) by its kind alone, which the original's cap prevented."""
_FAILURE_POINTS: Final = 2.0
_CERTAIN_SHARE: Final = 0.5
"""From this share of failures on, the fourth factor has all its points."""
_Z: Final = 1.645
"""Of a one-sided interval of 95 %."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Complexity:
    """How complex a task looks.

    Attributes:
        total: The sum of the factors that are known, at most 10; None when none is. A
            total without a kind is a lower bound.
        task_kind: The kind of task.
        context: Points of the size of its context, 0 to 3; None when not known, like
            the others.
        kind: Points of its kind, 0.8 to 8.
        files: Points of the files that it is about, 0 to 2.
        failures: Points of the failures of weaker models, 0 to 2; None when none has
            ended such a task yet.
    """

    total: float | None = None
    task_kind: TaskKind = TaskKind.UNKNOWN
    context: float | None = None
    kind: float | None = None
    files: float | None = None
    failures: float | None = None


def score(
    context_tokens: float | None,
    kind: TaskKind,
    files: int | None,
    weak_failures: float | None,
) -> Complexity:
    """Score a task before it runs.

    Args:
        context_tokens: Tokens of the first request, cached ones too; None when not
            known.
        kind: The kind of task, as `classify` tells it.
        files: How many files it is about; None when not known.
        weak_failures: Which share of such tasks weaker models are known to fail, 0 to
            1, as `failure_share` tells it; None without any outcome.

    Returns:
        The factors and their sum. No factor ever falls when what it is made of grows.
    """
    by_context = None if context_tokens is None else _on(_CONTEXT_STEPS, context_tokens)
    by_kind = HARDNESS[kind] * _KIND_POINTS if kind else None
    by_files = None if files is None else _on(_FILE_STEPS, files)
    by_failures = None
    if weak_failures is not None:
        certain = min(max(weak_failures, 0.0) / _CERTAIN_SHARE, 1.0)
        by_failures = _FAILURE_POINTS * certain
    known = [
        points
        for points in (by_context, by_kind, by_files, by_failures)
        if points is not None
    ]
    return Complexity(
        total=_rounded(min(sum(known), MOST)) if known else None,
        task_kind=kind,
        context=_rounded(by_context),
        kind=_rounded(by_kind),
        files=_rounded(by_files),
        failures=_rounded(by_failures),
    )


def failure_share(failures: int, tasks: int) -> float | None:
    """Tell which share of tasks is known to fail.

    The lower end of Wilson's interval (one-sided, 95 %), so that one failure of one task
    says little and many say much.

    Args:
        failures: How many failed.
        tasks: How many there were.

    Returns:
        0 to 1; None when there were none.
    """
    if tasks <= 0:
        return None
    share = min(max(failures, 0) / tasks, 1.0)
    square = _Z * _Z
    middle = share + square / (2 * tasks)
    reach = _Z * math.sqrt(share * (1 - share) / tasks + square / (4 * tasks * tasks))
    return max(0.0, (middle - reach) / (1 + square / tasks))


def original_score(
    context_tokens: int, task_type: str, files: int, weak_failures: int = 0
) -> int:
    """Score a task as the original system did; kept for comparison.

    Args:
        context_tokens: Tokens of the context.
        task_type: Its name for the kind of task; 3 points when it does not know it.
        files: How many files.
        weak_failures: How often weaker models failed; the original never knew of any.

    Returns:
        1 to 10: up to 3 for context, up to 4 for the type, whatever the type, up to 2
        for files and 1 for failures.
    """
    points = _steps(context_tokens, (10_000, 50_000, 100_000))
    known = {kind.value: hardness for kind, hardness in HARDNESS.items()}
    points += min(known.get(task_type, 3), 4)
    points += _steps(files, (3, 10))
    return min(points + (weak_failures >= 2), 10)


def _rounded(points: float | None) -> float | None:
    return None if points is None else round(points, 3)


def _steps(value: float, above: Sequence[int]) -> int:
    return sum(value > step for step in above)


def _on(steps: Sequence[tuple[int, float]], value: float) -> float:
    """Return the points of a value; between two steps by its logarithm."""
    (first, least), (_, most) = steps[0], steps[-1]
    if not value > first:
        return least
    for (low, from_points), (high, to_points) in itertools.pairwise(steps):
        if value < high:
            part = math.log(value / low) / math.log(high / low)
            return from_points + part * (to_points - from_points)
    return most
