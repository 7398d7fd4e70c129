"""The lists of findings and of sessions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.processors.finding import Severity
from fleetspan_collector.web.api.cursor import read_cursor, write_cursor
from fleetspan_collector.web.api.rows import ReadsRows, rfc3339

_SEVERITIES: Final = tuple(Severity)
_NEWEST: Final = "at_ns DESC, finding_id DESC"
_WORST: Final = "severity DESC, usd DESC NULLS LAST, seconds DESC NULLS LAST, at_ns DESC, finding_id"


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingFilter:
    """Which findings; ``""`` and 0 stand for any.

    Attributes:
        since_ns: Begun at or after it, in Unix nanoseconds.
        until_ns: Begun before it.
        min_severity: As an index.
    """

    since_ns: int = 0
    until_ns: int = 0
    run_id: str = ""
    detector: str = ""
    agent: str = ""
    session: str = ""
    min_severity: int = 0


def list_findings(
    rows: ReadsRows,
    sees: str | None,
    wanted: FindingFilter,
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return findings, newest first, and where the next part begins.

    Raises:
        UsageError: When the cursor cannot be used.
    """
    place = read_cursor(cursor, "findings", (int, str))
    found = _findings(rows, sees, wanted, place, limit + 1, _NEWEST)
    documents = [finding_document(row) for row in found[:limit]]
    if len(found) <= limit:
        return documents, None
    last = found[limit - 1]
    return documents, write_cursor("findings", last["at_ns"], last["finding_id"])


def worst_findings(
    rows: ReadsRows, sees: str | None, wanted: FindingFilter, limit: int
) -> list[dict[str, Any]]:
    """Return findings, the worst first."""
    found = _findings(rows, sees, wanted, None, limit, _WORST)
    return [finding_document(row) for row in found]


def _findings(
    rows: ReadsRows,
    sees: str | None,
    wanted: FindingFilter,
    place: tuple[Any, ...] | None,
    limit: int,
    order: str,
) -> list[dict[str, Any]]:
    return rows.of(
        sees,
        "page_findings",
        {
            "since": wanted.since_ns,
            "until": wanted.until_ns,
            "run_id": wanted.run_id,
            "detector": wanted.detector,
            "agent": wanted.agent,
            "session": wanted.session,
            "min_severity": wanted.min_severity,
            "has_after": int(place is not None),
            "after_ns": place[0] if place else 0,
            "after_id": place[1] if place else "",
            "limit": limit,
        },
        order=order,
    )


def finding_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make a document of a row of ``page_findings``."""
    return {
        "finding_id": row["finding_id"],
        "detector": row["detector"],
        "severity": _SEVERITIES[row["severity"]].value,
        "at": rfc3339(row["at_ns"]),
        "run_id": row["run_id"],
        "run_name": row["run_name"] or None,
        "trace_id": row["trace_id"] or None,
        "session_id": row["session_id"] or None,
        "agent_id": row["agent_id"] or None,
        "agent_name": row["agent_name"] or None,
        "what": row["what"],
        "advice": row["advice"],
        "seconds": row["seconds"],
        "usd": row["usd"],
        "span_ids": row["span_ids"],
        "rows": row["rows"],
        "open": bool(row["open"]),
        "found_at": rfc3339(row["found_ns"]),
    }


def list_sessions(
    rows: ReadsRows,
    sees: str | None,
    wanted: Mapping[str, str | int],
    cursor: str | None,
    limit: int,
) -> tuple[list[dict[str, Any]], str | None]:
    """Return sessions, the latest active first, and where the next part begins.

    Args:
        rows: The store.
        sees: Whose rows.
        wanted: ``since`` in Unix nanoseconds, ``q``, ``user``, ``project``, ``service``.
        cursor: Where to begin.
        limit: How many.

    Raises:
        UsageError: When the cursor cannot be used.
    """
    place = read_cursor(cursor, "sessions", (int, str))
    found = rows.of(
        sees,
        "page_sessions",
        {
            **wanted,
            "has_after": int(place is not None),
            "after_ns": place[0] if place else 0,
            "after_id": place[1] if place else "",
            "limit": limit + 1,
        },
    )
    documents = [_session(row) for row in found[:limit]]
    if len(found) <= limit:
        return documents, None
    last = found[limit - 1]
    return documents, write_cursor("sessions", last["activity_ns"], last["session_id"])


def _session(row: Mapping[str, Any]) -> dict[str, Any]:
    counts = ("runs", "agents", "llm_calls", "tool_calls", "errors")
    return {
        "session_id": row["session_id"],
        **{name: row[name] for name in counts},
        "tokens": row["tokens"],
        "cost_usd": row["cost_usd"],
        "unpriced_calls": row["unpriced_calls"],
        "started_at": rfc3339(row["start_ns"]),
        "last_activity_at": rfc3339(row["activity_ns"]),
        "running": row["running"],
        "user": row["user"] or None,
        "project": row["project"] or None,
        "service": row["service"] or None,
    }
