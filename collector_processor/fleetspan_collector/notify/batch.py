"""What an analysis has written, for those who are to be told of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.processors.run import RunFacts

Row = Mapping[str, Any]

SUMMARY: Final = (
    ("Tenant", "RunId", "SessionId", "RunName", "Environment", "Project", "User")
    + ("Service", "StartTime", "WallSeconds", "ModelSeconds", "ToolSeconds")
    + ("PermissionSeconds", "QueueSeconds", "BackoffSeconds", "SubagentSeconds")
    + ("GapSeconds", "BusySeconds", "TaskKind", "Complexity", "Effort")
    + ("FilesTouched", "SavedSeconds", "SavedUsd", "SetAside", "RunOpen")
    + ("RunVersion", "AnalysedAt")
)
"""Columns of ``stored_analyses`` that tell of a run; its path is too long to be told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisBatch:
    """Rows that are in the store by now.

    Attributes:
        findings: Rows of ``stored_findings`` that are new or have changed. Rows that say
            that a finding is gone (``IsDeleted``) may be among them.
        analyses: Rows of ``stored_analyses``.
        facts: The runs' own rows, which know their status, cost and trace; a run that is
            not among them is told of without these.
    """

    findings: pa.Table
    analyses: pa.Table
    facts: Sequence[RunFacts] = ()

    @property
    def count(self) -> int:
        """Rows in all."""
        rows: int = self.findings.num_rows + self.analyses.num_rows
        return rows

    def finding_rows(self, columns: Sequence[str] = ()) -> list[dict[str, Any]]:
        """The findings, without those that are gone; times are Unix nanoseconds.

        Args:
            columns: These alone; none for all.
        """
        return _present(self.findings, columns or self.findings.column_names)

    def analysis_rows(self, columns: Sequence[str] = SUMMARY) -> list[dict[str, Any]]:
        """The analyses, with what the runs' own rows say of status, cost and trace.

        Args:
            columns: These alone; Tenant and RunId must be among them.
        """
        by_key = {(each.tenant, each.run_id): each for each in self.facts}
        rows = _present(self.analyses, columns)
        for row in rows:
            facts = by_key.get((row["Tenant"], row["RunId"]))
            row["TraceId"] = facts.trace_id if facts else ""
            row["Status"] = facts.status if facts else ""
            row["CostUsd"] = facts.cost_usd if facts else None
        return rows


def _present(table: pa.Table, columns: Sequence[str]) -> list[dict[str, Any]]:
    flag = [name for name in table.column_names if name == "IsDeleted"]
    rows = plain_rows(table.select(list(dict.fromkeys([*columns, *flag]))))
    return [row for row in rows if not row.get("IsDeleted", 0)]


def plain_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as Python objects; times are Unix nanoseconds, which `datetime` cannot hold."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            # Not beyond what 64 bits hold: in nanoseconds the years 1678 to 2261.
            column = table.column(place).cast(pa.timestamp("ns", field.type.tz))
            table = table.set_column(place, field.name, column.cast(pa.int64()))
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
