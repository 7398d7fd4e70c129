"""Runs built by hand, for tests of processors: times in seconds from the run's start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.processors import schema
from fleetspan_collector.processors.run import Context, Run, RunFacts, make_run

START_NS: Final = 1_790_000_000_000_000_000
"""When runs begin unless said otherwise: in September 2026."""


def ns(seconds: float, start_ns: int = START_NS) -> int:
    """Return Unix nanoseconds of a moment in the run."""
    return start_ns + round(seconds * 1e9)


class Building:
    """A run in the making.

    Args:
        run_id: Its id.
        context: What is known beside it.
        start_ns: Unix nanoseconds of second 0.
        facts: Fields of `RunFacts` that are not to be worked out.
    """

    def __init__(
        self,
        run_id: str = "run-1",
        *,
        context: Context | None = None,
        start_ns: int = START_NS,
        **facts: Any,
    ) -> None:
        self._run_id = run_id
        self._context = context
        self._start_ns = start_ns
        self._facts = facts
        self._agents: list[dict[str, Any]] = []
        self._calls: list[dict[str, Any]] = []
        self._tools: list[dict[str, Any]] = []
        self._files: list[dict[str, Any]] = []

    def agent(
        self,
        agent_id: str,
        start: float,
        end: float | None,
        *,
        parent: str | None = None,
        spawned_by: str | None = None,
        **given: Any,
    ) -> str:
        """Add an agent; ``end`` is None while it goes on. Returns its id.

        Args:
            agent_id: Its id.
            start: Seconds from the start of the run.
            end: The same.
            parent: Id of its parent.
            spawned_by: Id of the tool call that started it.
            given: Other columns of `schema.AGENTS`.
        """
        self._agents.append(
            {
                "AgentId": agent_id,
                "ParentAgentId": parent or "",
                "SpawnToolCallId": spawned_by or "",
                "Name": agent_id,
                "StartTime": self._ns(start),
                "EndTime": None if end is None else self._ns(end),
                "LastActivity": self._ns(start if end is None else end),
                "Status": "running" if end is None else "ok",
                "Activations": 1,
                **given,
            }
        )
        return agent_id

    def call(
        self,
        agent_id: str,
        start: float,
        seconds: float | None,
        *,
        call_id: str | None = None,
        **given: Any,
    ) -> str:
        """Add an llm call; ``given`` are other columns. Returns its id."""
        call_id = call_id or f"call-{len(self._calls) + 1}"
        self._calls.append(
            {
                "CallId": call_id,
                "AgentId": agent_id,
                "Model": "claude-sonnet-4-5",
                "Provider": "anthropic",
                "SpanId": f"{len(self._calls) + 1:016x}",
                "StartTime": self._ns(start),
                "DurationMs": None if seconds is None else seconds * 1000,
                **given,
            }
        )
        return call_id

    def tool(
        self,
        agent_id: str,
        start: float,
        seconds: float | None,
        *,
        tool: str = "Bash",
        call_id: str | None = None,
        **given: Any,
    ) -> str:
        """Add a tool call; ``given`` are other columns. Returns its id."""
        call_id = call_id or f"tool-{len(self._tools) + 1}"
        self._tools.append(
            {
                "ToolCallId": call_id,
                "AgentId": agent_id,
                "Tool": tool,
                "SpanId": f"{0x1000 + len(self._tools):016x}",
                "StartTime": self._ns(start),
                "DurationMs": None if seconds is None else seconds * 1000,
                "Success": None if seconds is None else 1,
                **given,
            }
        )
        return call_id

    def file(
        self, agent_id: str, path: str, operation: str = "modify", at: float = 0.0
    ) -> None:
        """Add what was done to a file."""
        self._files.append(
            {
                "AgentId": agent_id,
                "Path": path,
                "Operation": operation,
                "StartTime": self._ns(at),
            }
        )

    def run(self) -> Run:
        """Return the run."""
        rows = [*self._agents, *self._calls, *self._tools]
        starts = [row["StartTime"] for row in rows] or [self._start_ns]
        ends = [_end(row) for row in rows] or [self._start_ns]
        is_open = any(row["Status"] == "running" for row in self._agents)
        costs = [row["CostUsd"] for row in self._calls if row.get("CostUsd")]
        facts: dict[str, Any] = {
            "run_id": self._run_id,
            "name": "run",
            "status": "running" if is_open else "ok",
            "start_ns": min(starts),
            "end_ns": None if is_open else max(ends),
            "last_activity_ns": max(ends),
            "cost_usd": sum(costs) if costs else None,
            "version": 1,
            **self._facts,
        }
        context = self._context or Context(now_ns=max(ends))
        return make_run(
            RunFacts(**facts),
            agents=table(self._agents, schema.AGENTS, "AgentId"),
            llm_calls=table(self._calls, schema.LLM_CALLS, "CallId"),
            tool_calls=table(self._tools, schema.TOOL_CALLS, "ToolCallId"),
            files=table(self._files, schema.FILES, "Path"),
            context=context,
        )

    def _ns(self, seconds: float) -> int:
        return ns(seconds, self._start_ns)


def _end(row: Mapping[str, Any]) -> int:
    if "AgentId" in row and "LastActivity" in row:
        return int(row["LastActivity"])
    return int(row["StartTime"] + (row["DurationMs"] or 0) * 1_000_000)


def table(rows: list[dict[str, Any]], layout: pa.Schema, key: str) -> pa.Table:
    """Return rows as a table in the order of start and id; texts that lack are ``""``."""
    ordered = sorted(rows, key=lambda row: (row["StartTime"], row[key]))
    return pa.table(
        {
            name: pa.array(
                [
                    row.get(name, "" if pa.types.is_string(kind) else None)
                    for row in ordered
                ],
                kind,
            )
            for name, kind in zip(layout.names, layout.types, strict=True)
        }
    )
