"""The list of runs, and where one run lies."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.processors.finding import Severity
from fleetspan_collector.store.reader import run_row
from fleetspan_collector.web.api.cursor import read_cursor, write_cursor
from fleetspan_collector.web.api.rows import ReadsRows, rfc3339

_TOKENS: Final = "InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens"
# What may be sorted by: an expression that is never NULL, and its type.
_SORTS: Final[Mapping[str, tuple[str, str, type]]] = {
    "started": ("toUnixTimestamp64Nano(StartTime)", "Int64", int),
    "activity": ("toUnixTimestamp64Nano(LastActivity)", "Int64", int),
    "cost": ("toFloat64(ifNull(CostUsd, -1))", "Float64", float),
    "tokens": (f"toInt64(ifNull({_TOKENS}, -1))", "Int64", int),
    "errors": ("toInt64(Errors)", "Int64", int),
    "agents": ("toInt64(Agents)", "Int64", int),
    "duration": (
        "toUnixTimestamp64Nano(ifNull(EndTime, LastActivity)) - toUnixTimestamp64Nano(StartTime)",
        "Int64",
        int,
    ),
}
SORTS: Final = tuple(_SORTS)
_SEVERITIES: Final = tuple(Severity)
_HOUR_S: Final = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs, in which order; ``""`` and 0 stand for any.

    Attributes:
        since_ns: Active at or after it, in Unix nanoseconds.
        until_ns: Begun before it.
        min_severity: At least one finding as severe as this; -1 for any.
    """

    since_ns: int = 0
    until_ns: int = 0
    status: str = ""
    service: str = ""
    project: str = ""
    environment: str = ""
    user: str = ""
    session: str = ""
    agent: str = ""
    model: str = ""
    tool: str = ""
    detector: str = ""
    q: str = ""
    min_severity: int = -1
    sort: str = "started"
    ascending: bool = False


def list_runs(
    rows: ReadsRows, sees: str | None, wanted: RunFilter, cursor: str | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return runs as documents, and where the next part begins.

    Raises:
        UsageError: When the cursor cannot be used.
    """
    expression, sort_type, python_type = _SORTS[wanted.sort]
    kind = f"runs/{wanted.sort}/{'up' if wanted.ascending else 'down'}"
    place = read_cursor(cursor, kind, (python_type, str))
    found = rows.of(
        sees,
        "page_runs",
        {
            "since": wanted.since_ns,
            "until": wanted.until_ns,
            **{
                name: getattr(wanted, name)
                for name in (
                    *("status", "service", "project", "environment", "user"),
                    *("session", "agent", "model", "tool", "detector", "q"),
                    "min_severity",
                )
            },
            "has_after": int(place is not None),
            "after": place[0] if place else 0,
            "after_id": place[1] if place else "",
            # One more than asked for tells whether there are more.
            "limit": limit + 1,
        },
        sort=expression,
        sort_type=sort_type,
        comparison=">" if wanted.ascending else "<",
        direction="ASC" if wanted.ascending else "DESC",
    )
    more = len(found) > limit
    found = found[:limit]
    documents = run_documents(rows, sees, found)
    if not more:
        return documents, None
    last = found[-1]
    return documents, write_cursor(kind, last["sort_value"], last["run_id"])


def run_documents(
    rows: ReadsRows, sees: str | None, found: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Make documents of rows of ``page_runs``, with what processors say of them."""
    if not found:
        return []
    hours = [row["bucket_s"] for row in found]
    extras = {
        row["run_id"]: row
        for row in rows.of(
            sees,
            "page_run_extras",
            {
                "ids": [row["run_id"] for row in found],
                "first": min(hours),
                "last": max(hours),
            },
        )
    }
    return [_document(row, extras.get(row["run_id"], {})) for row in found]


def one_run(rows: ReadsRows, sees: str | None, run_id: str) -> dict[str, Any] | None:
    """Return the row of one run with its bounds; ``None`` when there is none."""
    found = rows.of(sees, "page_run", {"run_id": run_id})
    return found[0] if found else None


def bounds_of(run: Mapping[str, Any]) -> dict[str, int]:
    """Return Unix seconds between which all rows of a run are stored.

    Args:
        run: A row of ``page_runs``.
    """
    # An hour of margin: a run keeps the hour under which it was first written.
    first = min(run["bucket_s"], run["start_ns"] // 1_000_000_000) - _HOUR_S
    return {
        "first": max(first - first % _HOUR_S, 0),
        "last": run["activity_ns"] // 1_000_000_000 + 1,
    }


def _document(row: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    worst = extra.get("worst", -1)
    return {
        **run_row(row),
        "group_key": row["group_key"],
        "trace_id": row["trace_id"] or None,
        "ended_at": rfc3339(row["ended_ns"]),
        "last_activity_at": rfc3339(row["activity_ns"]),
        "service": row["service"] or None,
        "project": row["project"] or None,
        "environment": row["environment"] or None,
        "user": row["user"] or None,
        "findings": extra.get("findings", 0),
        "worst_severity": _SEVERITIES[worst].value if worst >= 0 else None,
        "complexity": extra.get("complexity"),
        "saved_seconds": extra.get("saved_seconds"),
        "saved_usd": extra.get("saved_usd"),
    }
