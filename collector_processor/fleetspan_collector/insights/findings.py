"""Findings as a command reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypedDict, cast

from fleetspan_collector.insights.asking import EVER_NS, Asks, ask, text
from fleetspan_collector.insights.documents import finding_document
from fleetspan_collector.processors.finding import Severity

_ALL: Final = (1 << 63) - 1


class FindingRow(TypedDict):
    """One finding, as in ``findings --json``: a contract; fields are added, never renamed.

    Attributes:
        finding_id: The same whenever and wherever it is found again.
        detector: The processor that found it.
        severity: ``info``, ``low``, ``medium``, ``high`` or ``critical``.
        run_id: The run.
        run_name: What the run is called.
        trace_id: An OpenTelemetry trace of the run.
        session_id: The conversation.
        agent_id: The agent that it is about.
        agent_name: What that is called.
        span_ids: Spans that prove it.
        agent_ids: Agents that prove it.
        call_ids: Model calls that prove it.
        tool_call_ids: Tool calls that prove it.
        at: When it began, RFC 3339 in UTC.
        seconds: Wall time that the advice saves; ``None`` when not known.
        usd: US dollars that it saves; ``None`` when not known.
        what: What is the case.
        advice: What to change.
        details: Numbers and words behind the sentence.
        run_open: Whether the run still went on when it was found.
    """

    finding_id: str
    detector: str
    severity: str
    run_id: str
    run_name: str | None
    trace_id: str | None
    session_id: str | None
    agent_id: str | None
    agent_name: str | None
    span_ids: list[str]
    agent_ids: list[str]
    call_ids: list[str]
    tool_call_ids: list[str]
    at: str
    seconds: float | None
    usd: float | None
    what: str
    advice: str
    details: dict[str, Any]
    run_open: bool


def read_findings(
    source: Asks,
    *,
    since_ns: int = 0,
    until_ns: int = EVER_NS,
    run_id: str = "",
    detectors: Sequence[str] = (),
    severity: Severity = Severity.INFO,
    limit: int | None = None,
) -> list[FindingRow]:
    """Read findings, what matters most first.

    Args:
        source: Where to read.
        since_ns: Only those that began then or later, Unix nanoseconds; 0 for all.
        until_ns: Only those that began before.
        run_id: Only of this run; empty for all.
        detectors: Only of these; none for all.
        severity: Only these and worse.
        limit: At most so many; None for all.
    """
    conditions = [
        f"At < fromUnixTimestamp64Nano({until_ns})",
        f"toInt8(Severity) >= {severity.rank}",
    ]
    if since_ns:
        conditions.append(f"At >= fromUnixTimestamp64Nano({since_ns})")
    if run_id:
        conditions.append(f"RunId = {text(run_id)}")
    if detectors:
        conditions.append(f"Detector IN ({', '.join(map(text, detectors))})")
    return findings_where(source, " AND ".join(conditions), limit=limit)


def findings_where(
    source: Asks, condition: str, *, limit: int | None = None
) -> list[FindingRow]:
    """Read the findings for which a condition of SQL holds, what matters most first."""
    most = str(_ALL if limit is None else limit)
    table = ask(source, "findings", condition=condition, limit=most)
    rows = map(finding_document, table.to_pylist())
    return [cast("FindingRow", row) for row in rows]
