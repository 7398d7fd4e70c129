"""A reader of runs that are held in memory, for tests of what reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, cast

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.store.rows import RunDetail, RunRow


class MemoryReader:
    """Reads runs from a list, and statements from a table of answers.

    Args:
        runs: The runs, in any order.
        answers: The result of each statement, by its text.
    """

    def __init__(
        self,
        runs: Sequence[RunDetail] = (),
        *,
        answers: Mapping[str, bytes] | None = None,
    ) -> None:
        self._runs = sorted(runs, key=lambda run: run["started_at"] or "", reverse=True)
        self._answers = answers or {}

    def runs(self, *, since: datetime | None, limit: int | None) -> list[RunRow]:
        """Return runs that started at or after ``since``, latest first."""
        found = [
            cast("RunRow", {**_run_row(run), "agents": len(run["agents"])})
            for run in self._runs
            if since is None
            or (
                run["started_at"] and datetime.fromisoformat(run["started_at"]) >= since
            )
        ]
        return found[:limit]

    def find_runs(self, prefix: str) -> list[str]:
        """Return the ids that begin with a prefix."""
        return [r["run_id"] for r in self._runs if r["run_id"].startswith(prefix)]

    def run(self, run_id: str) -> RunDetail | None:
        """Return the run with this id."""
        return next((run for run in self._runs if run["run_id"] == run_id), None)

    def sql(self, query: str, output_format: str) -> bytes:
        """Return the answer of a statement.

        Raises:
            CollectorError: When there is none.
        """
        if query not in self._answers:
            raise CollectorError(
                "the statement was refused",
                because=f"there is no answer to {query!r}",
                suggestion="fleetspan sql 'SELECT 1'",
            )
        return self._answers[query]

    def close(self) -> None:
        """Let go of nothing."""


_COUNTED: Final = (
    *("runs", "orphan_spans", "unattributed_usd", "llm_calls", "unpriced_calls"),
    *("calls_without_tokens", "receipt_times", "spans"),
)


class MemoryRows:
    """Gives the API a `MemoryReader` in place of a store: runs, and nothing said of them.

    Args:
        reader: The runs.
    """

    def __init__(self, reader: MemoryReader) -> None:
        self._reader = reader

    def of(
        self,
        sees: str | None,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        **tokens: str,
    ) -> list[dict[str, Any]]:
        """Return rows of ``page_runs``, newest first; of other statements next to none."""
        asked = parameters or {}
        if name == "page_coverage":
            return [dict.fromkeys(_COUNTED, 0) | {"unpriced_models": []}]
        if name != "page_runs":
            return []
        since_ns = asked["since"]
        since = datetime.fromtimestamp(since_ns / 1e9, UTC) if since_ns else None
        found = self._reader.runs(since=since, limit=asked["limit"])
        return [_page_row(run) for run in found]

    def reader(self, sees: str | None) -> MemoryReader:
        """Return the reader."""
        return self._reader


def _page_row(run: RunRow) -> dict[str, Any]:
    started = datetime.fromisoformat(run["started_at"] or "1970-01-01T00:00:00Z")
    start_ns = int(started.timestamp()) * 1_000_000_000
    known = ("group_key", "trace_id", "service", "project", "environment", "user")
    return {
        **run,
        **dict.fromkeys(known, ""),
        "start_ns": start_ns,
        "ended_ns": None,
        "activity_ns": start_ns,
        "bucket_s": start_ns // 1_000_000_000,
        "sort_value": start_ns,
    }


def _run_row(run: RunDetail) -> dict[str, object]:
    """Return what a run has in a list of runs too."""
    return {name: value for name, value in run.items() if name != "cost_difference_usd"}
