"""What was said of runs, as rows of the tables of findings, analyses and rollups."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from fleetspan_collector.processors.analysis import PROCESSORS_VERSION, Analysis
from fleetspan_collector.processors.complexity import RunComplexity
from fleetspan_collector.processors.critical_path import busy_seconds as busy
from fleetspan_collector.processors.finding import Finding, finding_id
from fleetspan_collector.processors.rollup_rows import rollup_rows
from fleetspan_collector.processors.row_layouts import (
    ANALYSES,
    FINDINGS,
    SECONDS,
)
from fleetspan_collector.processors.run import NONE, Run

_LONGEST_TEXT: Final = 4000
_MOST_EVIDENCE: Final = 200
"""Pieces of evidence of one kind that a finding names; the first ones."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisRows:
    """Rows to be written; without Version and IsDeleted, which the writer knows.

    Attributes:
        findings: Rows of ``stored_findings``.
        analyses: Rows of ``stored_analyses``, one per run.
        rollups: Rows of ``stored_agent_rollups``.
    """

    findings: pa.Table
    analyses: pa.Table
    rollups: pa.Table


def rows_of(analyses: Sequence[Analysis], now_ns: int) -> AnalysisRows:
    """Make the rows of some analyses.

    Args:
        analyses: What was said of runs.
        now_ns: When, Unix nanoseconds.
    """
    return AnalysisRows(
        findings=_table(
            [
                _finding_row(analysis.run, detector, finding, now_ns)
                for analysis in analyses
                for detector, finding in analysis.findings
            ],
            FINDINGS,
        ),
        analyses=_table([_analysis_row(each, now_ns) for each in analyses], ANALYSES),
        rollups=rollup_rows(analyses),
    )


def _common(run: Run) -> dict[str, Any]:
    facts = run.facts
    return {
        "Tenant": facts.tenant,
        "RunId": facts.run_id,
        "SessionId": facts.session_id,
        "RunName": facts.name,
        "Environment": facts.environment,
        "Project": facts.project,
        "User": facts.user,
        "Service": facts.service,
        "RunOpen": int(facts.open),
        "ProcessorsVersion": PROCESSORS_VERSION,
        "Bucket": facts.bucket_s,
    }


def _finding_row(
    run: Run, detector: str, finding: Finding, now_ns: int
) -> dict[str, Any]:
    facts = run.facts
    agents = finding.agents or _owners(run, finding)
    agent = agents[0] if agents else NONE
    row = {
        **_common(run),
        "FindingId": finding_id(facts.tenant, facts.run_id, detector, finding.location),
        "TraceId": facts.trace_id,
        "Detector": detector,
        "Severity": finding.severity.rank,
        "At": _begin(run, finding),
        "AgentId": "" if agent == NONE else run.agents.strings("AgentId")[agent],
        "AgentName": "" if agent == NONE else run.agents.strings("Name")[agent],
        "What": finding.what[:_LONGEST_TEXT],
        "Advice": finding.advice[:_LONGEST_TEXT],
        "Seconds": _number(finding.seconds),
        "Usd": _number(finding.usd),
        "SpanIds": _spans(run, finding),
        "AgentIds": _named(run.agents.strings("AgentId"), finding.agents),
        "CallIds": _named(run.llm_calls.strings("CallId"), finding.calls),
        "ToolCallIds": _named(run.tool_calls.strings("ToolCallId"), finding.tools),
        "Details": json.dumps(
            {name: _plain(value) for name, value in finding.details.items()}
        ),
    }
    return {**row, "ContentHash": content_hash(row), "FoundAt": now_ns // 1_000_000}


def content_hash(row: Mapping[str, Any]) -> int:
    """A number for what a row says."""
    text = json.dumps(row, sort_keys=True, default=str).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def _owners(run: Run, finding: Finding) -> list[int]:
    """Agents whose calls prove it, when it names none itself."""
    owners = [int(run.tree.call_agent[row]) for row in finding.calls[:1]]
    owners += [int(run.tree.tool_agent[row]) for row in finding.tools[:1]]
    return [agent for agent in owners if agent != NONE]


def _begin(run: Run, finding: Finding) -> int:
    if finding.at_ns is not None:
        return finding.at_ns
    starts = [
        int(columns.nanoseconds("StartTime")[list(rows)].min())
        for columns, rows in (
            (run.agents, finding.agents),
            (run.llm_calls, finding.calls),
            (run.tool_calls, finding.tools),
        )
        if rows
    ]
    return min(starts, default=run.facts.start_ns)


def _named(ids: NDArray[np.object_], rows: Sequence[int]) -> list[str]:
    return [ids[row] for row in rows[:_MOST_EVIDENCE]]


def _spans(run: Run, finding: Finding) -> list[str]:
    """Spans that tell of the evidence: calls and tool calls, else agents."""
    named = _named(run.llm_calls.strings("SpanId"), finding.calls)
    named += _named(run.tool_calls.strings("SpanId"), finding.tools)
    named += _named(run.agents.strings("SpanId"), finding.agents)
    return list(dict.fromkeys(span for span in named if span))


def _analysis_row(analysis: Analysis, now_ns: int) -> dict[str, Any]:
    run, path, complexity = analysis.run, analysis.path, analysis.complexity
    row: dict[str, Any] = {
        **_common(run),
        "StartTime": run.facts.start_ns,
        "SetAside": list(analysis.set_aside),
        "RunVersion": run.facts.version,
        "AnalysedAt": now_ns // 1_000_000,
        "FilesTouched": len(set(run.files.strings("Path").tolist())),
    }
    if path is not None:
        calls, tools = (
            run.llm_calls.strings("CallId"),
            run.tool_calls.strings("ToolCallId"),
        )
        ids = run.agents.strings("AgentId")
        row |= {
            "WallSeconds": path.wall_s,
            **{name: path.seconds[kind] for kind, name in SECONDS.items()},
            "BusySeconds": busy(run),
            "PathStart": path.start_ns.tolist(),
            "PathEnd": path.end_ns.tolist(),
            "PathCategory": [str(each) for each in path.category],
            "PathAgentId": ["" if a == NONE else ids[a] for a in path.agent.tolist()],
            "PathKey": [
                calls[call] if call != NONE else "" if tool == NONE else tools[tool]
                for call, tool in zip(
                    path.call.tolist(), path.tool.tolist(), strict=True
                )
            ],
        }
    if isinstance(complexity, RunComplexity):
        row |= complexity.columns()
    if analysis.saved is not None:
        row["SavedSeconds"], row["SavedUsd"] = analysis.saved
    return row


def _table(rows: Sequence[Mapping[str, Any]], layout: pa.Schema) -> pa.Table:
    return pa.table(
        {
            name: _column([row.get(name) for row in rows], kind)
            for name, kind in zip(layout.names, layout.types, strict=True)
        }
    )


def _column(values: list[Any], kind: pa.DataType) -> pa.Array:
    if pa.types.is_list(kind):
        return pa.array([value or [] for value in values], kind)
    if pa.types.is_string(kind):
        return pa.array([value or "" for value in values], kind)
    return pa.array(values, kind)


def _number(value: float | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _plain(value: object) -> object:
    """Numpy's numbers as Python's; what JSON does not have as null."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float) else str(value)
