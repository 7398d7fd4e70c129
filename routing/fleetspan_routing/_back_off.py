"""What `outcomes.Outcomes` expects, for a whole log at once and without its own outcomes.

The same means with the same back-off (a test holds them to it), nothing discounted; each
decision's are of the parts of the log that it is not in, or an estimate that corrects them
by the decision's own outcome would count it twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from fleetspan_routing.outcomes import Task

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

FOLDS: Final = 5
_BORROWED: Final = 8.0
_PRIOR_WEIGHT: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where decisions were made, one number per place.

    Attributes:
        levels: Of each level, the widest first: the number of each decision's place.
    """

    levels: tuple[Ints, ...]


def places(tasks: Sequence[Task]) -> Places:
    """Number the places of tasks."""
    known: dict[Task, list[tuple[str, ...]]] = {}
    rows = []
    for task in tasks:
        if task not in known:
            known[task] = list(task.places())
        rows.append(known[task])
    levels = []
    for level in zip(*rows, strict=True):
        numbers: dict[tuple[str, ...], int] = {}
        levels.append(np.array([numbers.setdefault(p, len(numbers)) for p in level]))
    return Places(levels=tuple(levels))


def folds(number: int, seed: int = 0) -> Ints:
    """Deal decisions into parts of equal size by chance."""
    order: Ints = np.random.default_rng(seed).permutation(number) % FOLDS
    return order


def expected(
    where: Places,
    parts: Ints,
    chosen: Ints,
    models: int,
    values: Floats,
    prior: float,
) -> Floats:
    """Return what each model is expected to give at each decision.

    Args:
        where: Places of the decisions.
        parts: The part of the log that each is in.
        chosen: The model that each went to.
        models: How many there are.
        values: What came of each; NaN where that is not known.
        prior: What is taken for granted where nothing is known.

    Returns:
        Shape ``(decisions, models)``.
    """
    known = ~np.isnan(values)
    sums = [
        _outside(level, parts, chosen, models, values, known) for level in where.levels
    ]
    nothing = np.zeros((len(chosen), models))
    mean = np.full((len(chosen), models), prior)
    weight = np.full((len(chosen), models), _PRIOR_WEIGHT)
    for at, (count, total) in enumerate(sums):
        inner = sums[at + 1] if at + 1 < len(sums) else (nothing, nothing)
        own = np.maximum(count - inner[0], 0)
        lent = np.minimum(weight, _BORROWED)
        mean = (total - inner[1] + lent * mean) / (own + lent)
        weight = own + lent
    return mean


def _outside(
    level: Ints,
    parts: Ints,
    chosen: Ints,
    models: int,
    values: Floats,
    known: npt.NDArray[np.bool_],
) -> tuple[Floats, Floats]:
    """Counts and sums at each decision's place, without its own part of the log."""
    shape = (int(level.max()) + 1, FOLDS, models)
    cell = np.ravel_multi_index((level, parts, chosen), shape)
    size = int(np.prod(shape))
    found = []
    for each in (known.astype(np.float64), np.where(known, values, 0.0)):
        table = np.bincount(cell, each, size).reshape(shape)
        found.append((table.sum(axis=1, keepdims=True) - table)[level, parts])
    return found[0], found[1]
