"""History that is enough to call something unusual, and where unusual begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist
from typing import Final, cast

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.baselines import Baseline, Kind, Measure
from fleetspan_collector.processors.run import Indexes, Run

_LEAST: Final = 1e-3
"""Seconds, or dollars, below which two values are the same."""
_NORMAL: Final = NormalDist()
_HUNDREDTH: Final = _NORMAL.inv_cdf(0.99)
_ONE: Final = 0.001 / 4
_SEVERAL: Final = 0.01
"""How often one value, and the middle one of several, may pass by chance. Single values
of a run are looked at in four ways: its agents and itself, by seconds and by dollars."""
_OF_MEDIAN: Final = 1.2533
"""Deviation of a median of n normal values, times the root of n."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Things of a run that have one history.

    Attributes:
        kind: ``model``, ``tool``, ``agent`` or ``run``.
        subject: Name of the model, the tool, the agents or the run.
        rows: Which they are, in the caller's own numbering.
        values: Seconds or dollars of each.
        history: What has been usual.
    """

    kind: str
    subject: str
    rows: Indexes
    values: NDArray[np.float64]
    history: Baseline

    @property
    def middle(self) -> float:
        """The middle one of the values."""
        return middle_of(self.values)

    @property
    def excess(self) -> float:
        """By how much all values together are above the middle of the history."""
        return float(self.values.sum() - len(self.values) * self.history.p50)

    @property
    def ratio(self) -> float:
        """By what to multiply the values so that they are usual; at most 1."""
        return min(self.history.p50 / max(self.middle, 1e-9), 1.0)

    @property
    def _upper_end(self) -> float:
        """What the middle of so many passes in less than one run of a hundred.

        Whatever the shape of the history: half of three values above its 99th
        percentile, of seven above the 95th, or of eight above the 90th.
        """
        history, count = self.history, len(self.values)
        if count < 4:
            return history.p99
        return history.p95 if count < 8 else history.p90

    @property
    def times_usual(self) -> NDArray[np.float64]:
        """How many times as much as the middle of the history each value is."""
        times: NDArray[np.float64] = self.values / max(self.history.p50, _LEAST)
        return times

    def is_beyond(self, factor: float, looked_at: int) -> bool:
        """Whether the middle one passes a factor, and what chance explains.

        Args:
            factor: Times the middle of the history.
            looked_at: How many groups of the run are held against their history.
        """
        history, middle = self.history, self.middle
        if middle < factor * history.p50 or middle <= self._upper_end:
            return False
        # Agents of a run have tasks of one size: many tell no more than one.
        together = len(self.values) if self.kind in ("model", "tool") else 1
        return middle > beyond_chance(history, looked_at=looked_at, together=together)


def middle_of(values: NDArray[np.float64]) -> float:
    """The median; of few values in a tenth of the time that numpy takes."""
    ordered = np.sort(values)
    half = len(ordered) // 2
    if len(ordered) % 2:
        return float(ordered[half])
    return float(ordered[half - 1] + ordered[half]) / 2


def middles_by(keys: Indexes, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The median (of two the larger) of the values of each key."""
    order = np.lexsort((values, keys))
    ordered = keys[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    after = np.r_[first[1:], len(ordered)]
    middles: NDArray[np.float64] = values[order][(first + after) // 2]
    return middles


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


def groups_of(
    run: Run,
    kind: str,
    subjects: Iterable[tuple[str, Indexes]],
    values: NDArray[np.float64],
    measure: str = "seconds",
) -> list[Group]:
    """Return the groups that have history enough.

    Args:
        run: The run.
        kind: Their kind.
        subjects: Names, and the rows that have them.
        values: The value of each row.
        measure: ``seconds`` or ``usd``.
    """
    return [
        Group(
            kind=kind, subject=subject, rows=rows, values=values[rows], history=history
        )
        for subject, rows in subjects
        if len(rows) and (history := enough_of(run, kind, subject, measure)) is not None
    ]


def beyond_chance(history: Baseline, *, looked_at: int, together: int = 1) -> float:
    """What hardly any run passes by chance, if values are log-normal.

    One value in four thousand: further out than the 99th percentile of the history, and
    further still where a run has many. The middle one of several varies less; it may
    pass by chance in one run of a hundred.

    Args:
        history: What has been usual.
        looked_at: How many values of the run are held against their history.
        together: Of how many values the one that is looked at is the middle.
    """
    middle = max(history.p50, _LEAST)
    reach = max(history.p99 / middle, 1.0)
    chance, width = _ONE, 1.0
    if together > 1:
        chance, width = _SEVERAL, _OF_MEDIAN / together**0.5
    out = _quantile(chance / max(looked_at, 1))
    return float(middle * reach ** (width * out / _HUNDREDTH))


@lru_cache(maxsize=4096)
def _quantile(chance: float) -> float:
    return _NORMAL.inv_cdf(1 - chance)
