"""Canonical rows, analyses and findings written by hand into an embedded store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.collector_processor.embedded import Embedded

START_NS: Final = 1_790_000_000_000_000_000
"""Second 0 unless said otherwise: 2026-09-21T14:13:20Z."""

_TABLES: Final = (
    "canonical_runs",
    "canonical_agents",
    "canonical_llm_calls",
    "canonical_tool_calls",
    "stored_findings",
    "stored_analyses",
    "stored_agent_rollups",
)


class Stored:
    """Rows in the making; `write` puts them into the store.

    Args:
        start_ns: Unix nanoseconds of second 0 of every run.
    """

    def __init__(self, start_ns: int = START_NS) -> None:
        self._start_ns = start_ns
        self._rows: dict[str, list[dict[str, Any]]] = {name: [] for name in _TABLES}

    def run(
        self, run_id: str, *, at: float = 0.0, seconds: float | None = 60.0, **more: Any
    ) -> str:
        """Add a run; ``seconds`` None: it goes on."""
        end = None if seconds is None else at + seconds
        row = {
            "RunId": run_id,
            "SessionId": f"session-{run_id}",
            "Name": "review",
            "Status": "running" if seconds is None else "ok",
            "StartTime": self._time(at),
            "EndTime": None if end is None else self._time(end),
            "LastActivity": self._time(at if end is None else end),
            "Agents": 1,
            "OtelTraceId": "",
        }
        return self._add("canonical_runs", row | more, at)

    def agent(
        self,
        run_id: str,
        agent_id: str,
        *,
        at: float = 0.0,
        seconds: float | None = 60.0,
        **more: Any,
    ) -> str:
        """Add an agent of a run."""
        end = None if seconds is None else at + seconds
        row = {
            "RunId": run_id,
            "AgentId": agent_id,
            "Name": agent_id,
            "Status": "running" if seconds is None else "ok",
            "TraceId": "a" * 32,
            "SpanId": f"span-{agent_id}",
            "StartTime": self._time(at),
            "EndTime": None if end is None else self._time(end),
            "LastActivity": self._time(at if end is None else end),
            "Activations": 1,
        }
        self._add("canonical_agents", row | more, at)
        return agent_id

    def call(
        self,
        run_id: str,
        agent_id: str,
        *,
        at: float = 0.0,
        seconds: float | None = 2.0,
        **more: Any,
    ) -> str:
        """Add a model call."""
        call_id = f"{run_id}-call-{len(self._rows['canonical_llm_calls'])}"
        row = {
            "RunId": run_id,
            "AgentId": agent_id,
            "CallId": call_id,
            "Model": "claude-sonnet-4-5",
            "TraceId": "a" * 32,
            "SpanId": f"span-{call_id}",
            "StartTime": self._time(at),
            "DurationMs": None if seconds is None else seconds * 1000,
            "InputTokens": 1000,
            "CacheReadTokens": 0,
            "CacheWriteTokens": 0,
            "OutputTokens": 100,
            "CostUsd": 0.01,
        }
        self._add("canonical_llm_calls", row | more, at)
        return call_id

    def tool(
        self,
        run_id: str,
        agent_id: str,
        tool: str = "Bash",
        *,
        at: float = 0.0,
        seconds: float | None = 2.0,
        **more: Any,
    ) -> str:
        """Add a tool call."""
        call_id = f"{run_id}-tool-{len(self._rows['canonical_tool_calls'])}"
        row = {
            "RunId": run_id,
            "AgentId": agent_id,
            "ToolCallId": call_id,
            "Tool": tool,
            "TraceId": "a" * 32,
            "SpanId": f"span-{call_id}",
            "StartTime": self._time(at),
            "DurationMs": None if seconds is None else seconds * 1000,
            "Success": None if seconds is None else 1,
        }
        self._add("canonical_tool_calls", row | more, at)
        return call_id

    def finding(
        self,
        run_id: str,
        finding_id: str,
        *,
        at: float = 0.0,
        details: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> str:
        """Add a finding."""
        row = {
            "RunId": run_id,
            "FindingId": finding_id,
            "RunName": "review",
            "Detector": "straggler",
            "Severity": "medium",
            "At": self._time(at),
            "What": "One of 4 took 30 s, the others 10 s.",
            "Advice": "Split its task.",
            "Details": json.dumps(dict(details or {})),
            "RunOpen": 0,
        }
        return self._add("stored_findings", row | more, at)

    def analysis(self, run_id: str, *, at: float = 0.0, **more: Any) -> str:
        """Add the analysis of a run."""
        row = {"RunId": run_id, "StartTime": self._time(at), "RunOpen": 0}
        return self._add("stored_analyses", row | more, at)

    def rollup(
        self, run_id: str, agent_id: str, *, at: float = 0.0, **more: Any
    ) -> str:
        """Add what an agent of an analysed run came to."""
        row = {"RunId": run_id, "AgentId": agent_id, "StartTime": self._time(at)}
        return self._add("stored_agent_rollups", row | more, at)

    def write(self, store: Embedded) -> None:
        """Put everything into the store."""
        for table, rows in self._rows.items():
            _insert(store, table, rows)

    def _add(self, table: str, row: dict[str, Any], at: float) -> str:
        second = self._start_ns // 1_000_000_000 + int(at)
        common = {"Bucket": second // 3600 * 3600, "Version": 1, "IsDeleted": 0}
        self._rows[table].append(row | common)
        return str(row.get("FindingId", row["RunId"]))

    def _time(self, seconds: float) -> str:
        nanoseconds = self._start_ns + round(seconds * 1e9)
        return f"{nanoseconds // 1_000_000_000:010d}.{nanoseconds % 1_000_000_000:09d}"


def _insert(store: Embedded, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        lines = "\n".join(map(json.dumps, rows))
        columns = list(dict.fromkeys(name for row in rows for name in row))
        store.engine._client.raw_insert(
            f"otel.{table}", columns, lines.encode(), fmt="JSONEachRow"
        )


def empty(store: Embedded) -> None:
    """Remove every row."""
    for table in _TABLES:
        store.engine.command(f"TRUNCATE TABLE otel.{table}")
