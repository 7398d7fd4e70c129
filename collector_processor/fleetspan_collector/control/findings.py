"""Decisions as findings of the runs that they were made in.

Made of ``otel_logs`` alone, so that it makes no difference how often, when and by which
collector: the same decisions are the same findings. Analyses of the run leave them be.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.processors.finding import Severity, finding_id
from fleetspan_collector.processors.row_layouts import FINDINGS
from fleetspan_collector.processors.rows import content_hash
from fleetspan_collector.processors.writing import versioned, with_bucket
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

DETECTOR: Final = "control"
_ADVICE: Final = {
    "budget": "If the work is worth more, raise the limit: fleetspan budget set",
    "loop": "Look at what the call answers, and tell the agent what to do about it.",
    "fan_out": "Have fewer sub-agents do more each, or raise the limit.",
    "rule": "Change the task or the rule.",
    "risk": "Look at what was about to be done before you consent.",
    "approvals": "An agent tried to give itself consent: look at what it was told.",
}


def write_findings(engine: Engine, since_ns: int, version: int) -> int:
    """Write findings of what was decided since a time; tells how many are new.

    Of a run that is not there yet it is done another time.

    Args:
        engine: A connection that the caller alone uses.
        since_ns: Unix nanoseconds.
        version: Higher than that of any row before.

    Raises:
        ClickHouseError: When the store fails; it can be called again.
    """
    rows = engine.arrow(
        _sql.render("control_decisions", database=engine.address.database),
        {"since": since_ns // 10**9},
    ).to_pylist()
    known = engine.arrow(
        _sql.render("control_known", database=engine.address.database),
        {"runs": sorted({row["RunId"] for row in rows})},
    ).to_pylist()
    on_record = {row["FindingId"]: row["ContentHash"] for row in known}
    made = [_finding(row) for row in rows]
    fresh = [
        row for row in made if on_record.get(row["FindingId"]) != row["ContentHash"]
    ]
    if not fresh:
        return 0
    table = pa.Table.from_pylist(fresh, schema=FINDINGS)
    engine.insert_arrow(
        "stored_findings", versioned(with_bucket(table), version, deleted=0)
    )
    return len(fresh)


def _finding(row: Mapping[str, Any]) -> dict[str, Any]:
    answer, by = row["Answer"], row["By"]
    times = f", {row['Times']} times" if row["Times"] > 1 else ""
    done = "" if row["Enforced"] else " (dry run: it went on)"
    made = {
        "Tenant": row["Tenant"],
        "RunId": row["RunId"],
        "SessionId": row["SessionId"],
        "RunName": row["RunName"],
        "Environment": row["Environment"],
        "Project": row["Project"],
        "User": row["User"],
        "Service": row["Service"],
        "RunOpen": 0,
        "ProcessorsVersion": 0,
        "Bucket": row["Hour"],
        "FindingId": finding_id(
            row["Tenant"], row["RunId"], DETECTOR, f"{answer}/{row['Location']}"
        ),
        "TraceId": row["TraceId"],
        "Detector": DETECTOR,
        "Severity": _severity(by, answer, enforced=bool(row["Enforced"])).rank,
        "At": row["First"],
        "AgentId": row["AgentId"],
        "AgentName": row["AgentName"],
        "What": f"{_done(answer)}{times}: {row['Reason']}{done}"[:4000],
        "Advice": _ADVICE.get(by.partition(":")[0], ""),
        "Seconds": 0.0,
        "Usd": None,
        "SpanIds": row["SpanIds"],
        "AgentIds": [row["AgentId"]],
        "CallIds": [],
        "ToolCallIds": row["ToolCallIds"],
        "Details": json.dumps(
            {**json.loads(row["Details"] or "{}"), "by": by, "times": row["Times"]}
        ),
    }
    return {**made, "ContentHash": content_hash(made), "FoundAt": row["First"] // 10**6}


def _done(answer: str) -> str:
    return {
        "deny": "Stopped",
        "ask": "Left to the user",
        "approve": "Held until a person approves",
        "allow": "Allowed by rule",
        "warn": "Nearly used up",
    }.get(answer, answer)


def _severity(by: str, answer: str, *, enforced: bool) -> Severity:
    if by == "approvals":
        return Severity.CRITICAL
    if answer in ("warn", "allow"):
        return Severity.LOW if answer == "warn" else Severity.INFO
    if answer == "deny" and enforced:
        return Severity.HIGH
    return Severity.MEDIUM
