"""A phase: the runs that began within a time, and all that is known of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.insights.asking import Asks, ask, text
from fleetspan_collector.insights.documents import rfc3339
from fleetspan_collector.insights.findings import FindingRow, findings_where

_NUMBER: Final = re.compile(r"([-_ #.:])\d+$")
_MARGIN_S: Final = 3600
"""A row keeps the hour under which it was first written, which may be an earlier one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Which runs are meant.

    Attributes:
        since_ns: Those that began then or later, Unix nanoseconds.
        until_ns: And before this.
        sessions: Only of these conversations; none for all.
        project: Only of this project; empty for all.
        environment: Only of this environment; empty for all.
    """

    since_ns: int
    until_ns: int
    sessions: tuple[str, ...] = ()
    project: str = ""
    environment: str = ""

    @property
    def condition(self) -> str:
        """The condition on runs, as SQL."""
        parts = [
            f"StartTime >= fromUnixTimestamp64Nano({self.since_ns})",
            f"StartTime < fromUnixTimestamp64Nano({self.until_ns})",
        ]
        if self.sessions:
            parts.append(f"SessionId IN ({', '.join(map(text, self.sessions))})")
        if self.project:
            parts.append(f"Project = {text(self.project)}")
        if self.environment:
            parts.append(f"Environment = {text(self.environment)}")
        return " AND ".join(parts)

    @property
    def document(self) -> dict[str, object]:
        """The same for a JSON document."""
        return {
            "since": rfc3339(self.since_ns),
            "until": rfc3339(self.until_ns),
            "sessions": list(self.sessions),
            "project": self.project or None,
            "environment": self.environment or None,
        }


@dataclass(frozen=True, eq=False, kw_only=True)
class Phase:
    """What is known of the runs of a phase.

    Attributes:
        span: Which runs they are.
        runs: One row per run, see ``review_runs.sql``.
        agents: Rows by run and agent's name, see ``review_agents.sql``; agents are
            called by what numbered ones have in common (`family`), here and below.
        calls: Rows by run, agent's name and model, see ``review_calls.sql``.
        tools: Rows by run, agent's name and tool, see ``review_tools.sql``.
        errors: One row per kind, name and error, most often first.
        findings: What processors have found, what matters most first.
    """

    span: Span
    runs: Columns
    agents: Columns
    calls: Columns
    tools: Columns
    errors: pa.Table
    findings: list[FindingRow]

    @cached_property
    def row_of(self) -> dict[str, int]:
        """For each run's id its row."""
        ids = self.runs.strings("run_id").tolist()
        return {run_id: row for row, run_id in enumerate(ids)}

    def run_rows(self, table: Columns) -> NDArray[np.int64]:
        """For each row of a table the row of its run."""
        ids = table.strings("run_id").tolist()
        return np.fromiter((self.row_of[each] for each in ids), np.int64, len(ids))


def read_phase(source: Asks, span: Span) -> Phase:
    """Read a phase."""
    chosen = span.condition
    runs = Columns(ask(source, "review_runs", chosen=chosen))
    rows = f"RunId IN (SELECT RunId FROM runs WHERE {chosen}) AND {_hours(runs)}"  # noqa: S608 - conditions of our own, with quoted literals
    known = pa.array(runs.strings("run_id"), pa.string())

    def of_runs(name: str) -> Columns:
        table = _by_family(ask(source, name, rows=rows))
        # A run that has come since the runs were read would have no row of its own.
        return Columns(table.filter(pc.is_in(table["run_id"], known)))

    findings = findings_where(source, rows) if runs.count else []
    ids = set(known.to_pylist())
    return Phase(
        span=span,
        runs=runs,
        agents=of_runs("review_agents"),
        calls=of_runs("review_calls"),
        tools=of_runs("review_tools"),
        errors=ask(source, "review_errors", rows=rows),
        findings=[each for each in findings if each["run_id"] in ids],
    )


def family(name: str) -> str:
    """Return what numbered agents have in common: ``searcher-*`` for ``searcher-12``."""
    return _NUMBER.sub(r"\1*", name)


def _by_family(table: pa.Table) -> pa.Table:
    """Call agents by what is theirs in common; else no two runs had the same ones."""
    for column in ("name", "agent"):
        if column in table.column_names:
            families = pc.replace_substring_regex(
                table[column], _NUMBER.pattern, r"\1*"
            )
            place = table.column_names.index(column)
            table = table.set_column(place, column, families)
    return table


def _hours(runs: Columns) -> str:
    """Return the condition on the hours under which rows of these runs are stored."""
    if not runs.count:
        return "0"
    first = int(runs.integers("start_ns").min()) // 1_000_000_000 - _MARGIN_S
    first = max(first // 3600 * 3600, 0)
    last = int(runs.integers("last_ns").max()) // 1_000_000_000 + 1
    last = min(max(last, 0), (1 << 32) - 1)
    return f"Bucket BETWEEN toDateTime({first}) AND toDateTime({last})"
