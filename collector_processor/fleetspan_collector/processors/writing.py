"""Analyses written to the store: what is new, what has changed, and what is no more."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fleetspan_collector.processors.batch import RunKey
from fleetspan_collector.processors.rows import AnalysisRows
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.conditions import condition_on_runs

_FINDING, _ROLLUP, _ANALYSIS = "finding", "rollup", "analysis"
_KEYS: Final = {_FINDING: "FindingId", _ROLLUP: "AgentId"}
_TABLES: Final = {
    _FINDING: "stored_findings",
    _ROLLUP: "stored_agent_rollups",
    _ANALYSIS: "stored_analyses",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What was written, for those who tell others.

    Attributes:
        findings: Rows of ``stored_findings`` that are new, or say something new.
        analyses: Rows of ``stored_analyses``.
    """

    findings: pa.Table
    analyses: pa.Table


class AnalysisWriter:
    """Writes what was said of runs, in place of what was said before.

    Args:
        engine: A connection that this object alone uses.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._version = 0

    def write(self, rows: AnalysisRows, hours: Mapping[RunKey, int]) -> Written:
        """Write rows, and take back what is no longer said.

        The analysis, which says that a run has been looked at, is written last.

        Args:
            rows: What is said now.
            hours: The runs, and the hours they are stored under, in Unix seconds.

        Raises:
            ClickHouseError: When the store fails; it can be written again.
        """
        before = self._before(hours)
        known = {
            (row["Tenant"], row["RunId"], row["Key"]): row
            for row in before
            if row["Kind"] == _FINDING
        }
        findings = _with_first_time(_changed(rows.findings, known), known)
        for kind, table in ((_FINDING, rows.findings), (_ROLLUP, rows.rollups)):
            self._take_back(kind, _left(before, kind, table))
        self._insert(_FINDING, findings)
        self._insert(_ROLLUP, rows.rollups)
        self._insert(_ANALYSIS, rows.analyses)
        return Written(findings=findings, analyses=rows.analyses)

    def forget(self, hours: Mapping[RunKey, int]) -> None:
        """Take back all that was said of runs that are not there any more.

        Raises:
            ClickHouseError: When the store fails; it can be called again.
        """
        before = self._before(hours)
        for kind in _TABLES:
            self._take_back(kind, [row for row in before if row["Kind"] == kind])

    def _before(self, hours: Mapping[RunKey, int]) -> list[dict[str, Any]]:
        self._version = max(time.time_ns(), self._version + 1)
        rows: list[dict[str, Any]] = self._engine.arrow(
            _sql.render(
                "analysed",
                database=self._engine.address.database,
                runs=condition_on_runs(list(hours), hours.values()),
            )
        ).to_pylist()
        return rows

    def _insert(self, kind: str, rows: pa.Table) -> None:
        self._engine.insert_arrow(
            _TABLES[kind], versioned(with_bucket(rows), self._version, deleted=0)
        )

    def _take_back(self, kind: str, left: Sequence[Mapping[str, Any]]) -> None:
        columns: dict[str, Any] = {
            "Tenant": [row["Tenant"] for row in left],
            "RunId": [row["RunId"] for row in left],
            "Bucket": pa.array([row["Hour"] for row in left], pa.int64()),
        }
        if kind in _KEYS:
            columns[_KEYS[kind]] = [row["Key"] for row in left]
        table = with_bucket(pa.table(columns))
        self._engine.insert_arrow(
            _TABLES[kind], versioned(table, self._version, deleted=1)
        )


def with_bucket(rows: pa.Table) -> pa.Table:
    """Return rows whose ``Bucket`` is the time that it says in Unix seconds."""
    at = rows.schema.get_field_index("Bucket")
    hours = rows["Bucket"].cast(pa.timestamp("s"))
    return rows.set_column(at, "Bucket", hours)


def versioned(rows: pa.Table, version: int, *, deleted: int) -> pa.Table:
    """Return rows of a version; ``deleted`` 1 takes back what is there under their keys."""
    count = rows.num_rows
    return rows.append_column(
        "Version", pa.array(np.full(count, version, dtype=np.uint64))
    ).append_column("IsDeleted", pa.array(np.full(count, deleted, dtype=np.uint8)))


def _keys_of(table: pa.Table, key: str) -> list[tuple[str, str, str]]:
    return list(
        zip(
            table["Tenant"].to_pylist(),
            table["RunId"].to_pylist(),
            table[key].to_pylist(),
            strict=True,
        )
    )


def _changed(
    findings: pa.Table, known: Mapping[tuple[str, str, str], Mapping[str, Any]]
) -> pa.Table:
    """Findings that are not on record as they are."""
    hashes = findings["ContentHash"].to_pylist()
    fresh = [
        key not in known or known[key]["ContentHash"] != content
        for key, content in zip(_keys_of(findings, "FindingId"), hashes, strict=True)
    ]
    return findings.filter(pa.array(fresh, pa.bool_()))


def _with_first_time(
    findings: pa.Table, known: Mapping[tuple[str, str, str], Mapping[str, Any]]
) -> pa.Table:
    """A finding that says something new keeps the time at which it was found first."""
    times = findings["FoundAt"].cast(pa.int64()).to_pylist()
    first = [
        known[key]["FoundAt"] if key in known else now
        for key, now in zip(_keys_of(findings, "FindingId"), times, strict=True)
    ]
    at = findings.schema.get_field_index("FoundAt")
    column = pa.array(first, pa.int64()).cast(pa.timestamp("ms"))
    return findings.set_column(at, "FoundAt", column)


def _left(
    before: Sequence[Mapping[str, Any]], kind: str, now: pa.Table
) -> list[Mapping[str, Any]]:
    """What is on record and not said any more."""
    said = set(_keys_of(now, _KEYS[kind]))
    return [
        row
        for row in before
        if row["Kind"] == kind and (row["Tenant"], row["RunId"], row["Key"]) not in said
    ]
