"""What two phases are compared by: measures of runs, agents, tools and models."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.insights._by_run import (
    Reads,
    of_agents,
    of_models,
    of_runs,
    of_tools,
)
from fleetspan_collector.insights.noise import FEWEST_RUNS, Centre, Floats, Samples
from fleetspan_collector.insights.phase import Phase

Dimension = Literal["run", "agent", "tool", "model"]
Family = Literal["time", "money", "failure"]

_MOST_SUBJECTS: Final = 200
"""Of one dimension, the most common ones: names may be without number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing that is measured run by run.

    Attributes:
        dimension: Of what.
        name: Its short name, with the unit of ``per`` in it.
        family: What it may be the cause, or a part, of.
        centre: How runs are summed up: a middle for times, a mean for what adds up.
        amount: Column of what is measured.
        count: Column of how many share it; empty: it is of the run as a whole.
        least: Smallest change worth naming, as a share of what was before.
        share: Whether it is a share of all, 0 to 1; the least is then a difference.
        unit: ``s``, ``usd``, ``tokens``, ``calls`` or ``share``.
    """

    dimension: Dimension
    name: str
    family: Family
    centre: Centre
    amount: str
    count: str = ""
    least: float = 0.05
    share: bool = False
    unit: str


def _failures(dimension: Dimension, count: str) -> Measure:
    return Measure(
        dimension=dimension,
        name="failures",
        family="failure",
        centre="mean",
        amount="failures",
        count=count,
        least=0.02,
        share=True,
        unit="share",
    )


def _seconds(dimension: Dimension, count: str = "timed") -> Measure:
    return Measure(
        dimension=dimension,
        name="seconds",
        family="time",
        centre="median",
        amount="seconds",
        count=count,
        unit="s",
    )


def _usd(dimension: Dimension, count: str = "") -> Measure:
    return Measure(
        dimension=dimension,
        name="usd",
        family="money",
        centre="mean",
        amount="usd",
        count=count,
        unit="usd",
    )


MEASURES: Final = (
    _seconds("run", ""),
    _usd("run"),
    Measure(
        dimension="run",
        name="tokens",
        family="money",
        centre="mean",
        amount="tokens",
        unit="tokens",
    ),
    _failures("run", ""),
    _seconds("agent"),
    _usd("agent"),
    _failures("agent", "agents"),
    _seconds("tool"),
    Measure(
        dimension="tool",
        name="calls",
        family="time",
        centre="mean",
        amount="calls",
        least=0.1,
        unit="calls",
    ),
    _failures("tool", "answered"),
    _seconds("model"),
    _usd("model", "priced"),
    _failures("model", "calls"),
    Measure(
        dimension="model",
        name="cache_share",
        family="money",
        centre="mean",
        amount="cache_read",
        count="read",
        least=0.02,
        share=True,
        unit="share",
    ),
)


@dataclass(frozen=True, eq=False)
class Table:
    """Rows of one dimension of both phases: at most one per run and subject.

    Attributes:
        subject: What each row is of.
        run: The run's row among the runs of its phase.
        later: Whether it is of the later phase.
        stratum: A number for the run's name.
        columns: Amounts and counts; NaN where not known.
    """

    subject: NDArray[np.object_]
    run: NDArray[np.int64]
    later: NDArray[np.bool_]
    stratum: NDArray[np.int64]
    columns: Mapping[str, Floats]

    @cached_property
    def rows_of(self) -> dict[str, NDArray[np.int64]]:
        """For each of the most common subjects its rows."""
        names, place = np.unique(self.subject.astype(str), return_inverse=True)
        order = np.argsort(place, kind="stable")
        parts = np.split(order, np.cumsum(np.bincount(place, minlength=len(names))))
        pairs = sorted(zip(names.tolist(), parts, strict=False), key=_most_common)
        return dict(pairs[:_MOST_SUBJECTS])

    def samples(self, subject: str, measure: Measure) -> Samples | None:
        """What a subject measured; None where the phases cannot be compared."""
        rows = self.rows_of[subject]
        amount = self.columns[measure.amount][rows]
        count = (
            self.columns[measure.count][rows]
            if measure.count
            else np.ones(len(rows), dtype=np.float64)
        )
        fine = np.isfinite(amount) & np.isfinite(count) & (count > 0)
        samples = Samples(
            amount=amount,
            count=count,
            stratum=self.stratum[rows],
            later=self.later[rows],
            run=self.run[rows],
        )
        comparable = samples.where(fine).comparable()
        return comparable if comparable.enough else None

    def by_run(self, subject: str, column: str, runs: int) -> Floats:
        """Return a column of a subject for each later run; 0 where it has none."""
        rows = self.rows_of[subject]
        rows = rows[self.later[rows]]
        found = np.zeros(runs)
        np.add.at(found, self.run[rows], np.nan_to_num(self.columns[column][rows]))
        return found


def _most_common(pair: tuple[str, NDArray[np.int64]]) -> tuple[int, str]:
    return -len(pair[1]), pair[0]


class Both:
    """Two phases side by side.

    Args:
        before: The earlier one.
        after: The later one.
    """

    def __init__(self, before: Phase, after: Phase) -> None:
        self.before = before
        self.after = after
        names = {
            *before.runs.strings("name").tolist(),
            *after.runs.strings("name").tolist(),
        }
        self.names = sorted(names)
        self._code = {name: code for code, name in enumerate(self.names)}
        self.tables: dict[Dimension, Table] = {
            "run": self._table(of_runs),
            "agent": self._table(of_agents),
            "tool": self._table(of_tools),
            "model": self._table(of_models),
        }

    def subjects(self) -> Iterator[tuple[Dimension, str]]:
        """Yield everything that is common enough to be compared."""
        for dimension, table in self.tables.items():
            for subject, rows in table.rows_of.items():
                later = int(table.later[rows].sum())
                if max(later, len(rows) - later) >= FEWEST_RUNS:
                    yield dimension, subject

    def _table(self, read: Reads) -> Table:
        parts = []
        for later, phase in ((False, self.before), (True, self.after)):
            subject, run, columns = read(phase)
            names = phase.runs.strings("name")[run]
            stratum = np.array([self._code[name] for name in names], dtype=np.int64)
            # What goes on has not come to anything yet.
            over = phase.runs.strings("status")[run] != "running"
            parts.append(
                Table(
                    subject[over],
                    run[over],
                    np.full(int(over.sum()), later),
                    stratum[over],
                    {name: column[over] for name, column in columns.items()},
                )
            )
        first, second = parts
        return Table(
            np.concatenate([first.subject, second.subject]),
            np.concatenate([first.run, second.run]),
            np.concatenate([first.later, second.later]),
            np.concatenate([first.stratum, second.stratum]),
            {
                name: np.concatenate([first.columns[name], second.columns[name]])
                for name in first.columns
            },
        )
