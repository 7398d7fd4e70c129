"""Several runs read together: their rows in one table each, and where each run's begin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.processors.run import Context, Run, RunFacts

RunKey = tuple[str, str]
"""Tenant and run id."""

TABLES = ("agents", "llm_calls", "tool_calls", "files")


@dataclass(frozen=True)
class RunBatch:
    """Runs with their rows; it is what goes to the worker process.

    Attributes:
        facts: The runs' own rows.
        tables: Of each of `TABLES` the rows of all runs, in the order of ``facts``, within
            a run by start and id; in the layout of `schema`.
        offsets: Of each of `TABLES` where the rows of each run begin, and the end.
        contexts: What is known beside each run; runs share them.
        context_of: For each run the number of its context.
    """

    facts: Sequence[RunFacts]
    tables: Mapping[str, pa.Table]
    offsets: Mapping[str, NDArray[np.int64]]
    contexts: Sequence[Context]
    context_of: Sequence[int]

    @cached_property
    def _columns(self) -> dict[str, Columns]:
        return {name: Columns(table) for name, table in self.tables.items()}

    def run(self, number: int) -> Run:
        """One of the runs."""
        parts = {
            name: columns.part(
                int(self.offsets[name][number]), int(self.offsets[name][number + 1])
            )
            for name, columns in self._columns.items()
        }
        return Run(
            facts=self.facts[number],
            context=self.contexts[self.context_of[number]],
            agents=parts["agents"],
            llm_calls=parts["llm_calls"],
            tool_calls=parts["tool_calls"],
            files=parts["files"],
        )

    def part(self, first: int, end: int) -> RunBatch:
        """Some consecutive ones of the runs."""
        rows = {
            name: slice(int(self.offsets[name][first]), int(self.offsets[name][end]))
            for name in self.tables
        }
        return RunBatch(
            facts=self.facts[first:end],
            tables={
                name: table.slice(rows[name].start, rows[name].stop - rows[name].start)
                for name, table in self.tables.items()
            },
            offsets={
                name: offsets[first : end + 1] - offsets[first]
                for name, offsets in self.offsets.items()
            },
            contexts=self.contexts,
            context_of=self.context_of[first:end],
        )

    def runs(self) -> Iterator[Run]:
        """All runs, one after the other."""
        return (self.run(number) for number in range(len(self.facts)))


def offsets_of(
    table: pa.Table, keys: Sequence[RunKey]
) -> tuple[pa.Table, NDArray[np.int64]]:
    """Put rows in the order of the runs, and tell where each run's begin.

    Args:
        table: Rows with ``Tenant`` and ``RunId``, the rows of a run together and in order.
        keys: The runs; rows of others are left out.

    Returns:
        The rows, without ``Tenant`` and ``RunId``, and ``len(keys) + 1`` offsets.
    """
    place = {key: number for number, key in enumerate(keys)}
    rows = Columns(table)
    of_row = np.fromiter(
        (
            place.get(key, -1)
            for key in zip(
                rows.strings("Tenant").tolist(),
                rows.strings("RunId").tolist(),
                strict=True,
            )
        ),
        np.int64,
        table.num_rows,
    )
    order = np.argsort(of_row, kind="stable")
    first = int(np.searchsorted(of_row[order], 0))
    kept = order[first:]
    table = table.drop_columns(["Tenant", "RunId"])
    if len(kept) != len(order) or np.any(order[1:] < order[:-1]):
        table = table.take(pa.array(kept))
    counts = np.bincount(of_row[kept], minlength=len(keys))
    return table, np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
