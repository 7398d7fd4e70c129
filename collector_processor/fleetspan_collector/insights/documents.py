"""What is told of one finding: by ``findings --json``, and to hooks."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from fleetspan_collector.processors.finding import Severity

_SEVERITIES: Final = list(Severity)


def finding_document(row: Mapping[str, Any]) -> dict[str, Any]:
    """Make the document of a finding: a contract; fields are added, never renamed.

    Its fields are those of `FindingRow`, in that order.

    Args:
        row: Of the view ``findings``, by its columns. A time may be Unix nanoseconds, a
            `datetime` or ClickHouse's text; a severity its number or its name.
    """
    return {
        "finding_id": row["FindingId"],
        "detector": row["Detector"],
        "severity": str(severity_of(row["Severity"])),
        "run_id": row["RunId"],
        "run_name": row["RunName"] or None,
        "trace_id": row["TraceId"] or None,
        "session_id": row["SessionId"] or None,
        "agent_id": row["AgentId"] or None,
        "agent_name": row["AgentName"] or None,
        "span_ids": list(row["SpanIds"]),
        "agent_ids": list(row["AgentIds"]),
        "call_ids": list(row["CallIds"]),
        "tool_call_ids": list(row["ToolCallIds"]),
        "at": rfc3339(nanoseconds_of(row["At"])),
        "seconds": row["Seconds"],
        "usd": row["Usd"],
        "what": row["What"],
        "advice": row["Advice"],
        "details": details_of(row["Details"]),
        "run_open": bool(row["RunOpen"]),
    }


def severity_of(value: str | int) -> Severity:
    """Read a severity, as the store writes it or as a row to be stored has it."""
    return _SEVERITIES[value] if isinstance(value, int) else Severity(value)


def nanoseconds_of(value: int | str | datetime) -> int:
    """Read a time as Unix nanoseconds."""
    if isinstance(value, int):
        return value
    if isinstance(value, str):
        whole, _, fraction = value.partition(".")
        moment = datetime.fromisoformat(whole).replace(tzinfo=UTC)
        return int(moment.timestamp()) * 1_000_000_000 + int(f"{fraction:0<9}"[:9])
    moment = value if value.tzinfo else value.replace(tzinfo=UTC)
    # Not by `timestamp`, which is a float: it loses what is below a microsecond.
    whole_s = int(moment.replace(microsecond=0).timestamp())
    return whole_s * 1_000_000_000 + moment.microsecond * 1000


def rfc3339(nanoseconds: int) -> str:
    """Write a time in UTC, to the microsecond."""
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{rest // 1000:06d}Z"


def details_of(document: str) -> dict[str, Any]:
    """Read the numbers and words behind a finding's sentence."""
    # A plugin of another version may have written it.
    try:
        details = json.loads(document or "{}")
    except ValueError:
        return {}
    return details if isinstance(details, dict) else {}
