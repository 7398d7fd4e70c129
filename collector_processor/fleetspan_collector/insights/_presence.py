"""What only one of two phases has at all."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fleetspan_collector._columns import Columns
from fleetspan_collector.insights.change import Change
from fleetspan_collector.insights.measures import Both, Dimension, Table
from fleetspan_collector.insights.noise import FEWEST_RUNS, only_later_p

_EVIDENCE: Final = 5


def come_and_gone(both: Both) -> Iterator[Change]:
    """Yield what only one phase has, with how likely that is by chance.

    What is new only because a new kind of run has it is a part of that.
    """
    kinds: set[str] = set()
    for dimension, table in both.tables.items():
        for subject in table.rows_of:
            change = _presence(both, dimension, table, subject)
            if change is None:
                continue
            names = set(change.run_names)
            if dimension == "run":
                kinds.add(subject)
                yield change
            elif not names <= kinds:
                yield change


def _presence(
    both: Both, dimension: Dimension, table: Table, subject: str
) -> Change | None:
    rows = table.rows_of[subject]
    later = int(table.later[rows].sum())
    before, after = len(rows) - later, later
    runs_before, runs_after = _over(both.before.runs), _over(both.after.runs)
    if min(before, after) or len(rows) < FEWEST_RUNS or not runs_before * runs_after:
        return None
    phase = both.after if after else both.before
    here, there = (runs_after, runs_before) if after else (runs_before, runs_after)
    first, second = before / runs_before, after / runs_after
    places = table.run[rows]
    return Change(
        dimension=dimension,
        subject=subject,
        measure="presence",
        unit="share",
        before=first,
        after=second,
        difference=second - first,
        ratio=second / first if first else None,
        low=second - first,
        high=second - first,
        # Either phase could have been the one that has it.
        p=min(1.0, 2 * only_later_p(there, here, len(rows))),
        times=float(after),
        runs_before=runs_before,
        runs_after=runs_after,
        run_names=sorted(set(phase.runs.strings("name")[places].tolist())),
        because_of=None,
        run_ids=phase.runs.strings("run_id")[places][-_EVIDENCE:].tolist(),
    )


def _over(runs: Columns) -> int:
    return int((runs.strings("status") != "running").sum())
