"""Rows of ``stored_snapshots``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from fleetspan_collector.processors.run import Run
from fleetspan_collector.snapshots.moment import Moment
from fleetspan_collector.snapshots.raw import Raw
from fleetspan_collector.snapshots.standing import Counters, Standings

_TOKENS: Final = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A snapshot that is to be written.

    Attributes:
        run: Of which run.
        moment: At which moment.
        at_ns: That moment, in a range that can be stored.
        snapshot_id: Its id.
        mark: What it is made from, in short.
    """

    run: Run
    moment: Moment
    at_ns: int
    snapshot_id: str
    mark: tuple[object, ...]


def row_of(
    wanted: Wanted, standings: Standings, raw: Raw, now_ns: int
) -> dict[str, Any]:
    """Make the row of a snapshot.

    Args:
        wanted: Which one.
        standings: How its run stood.
        raw: What raw rows know of its run.
        now_ns: The present, Unix nanoseconds.
    """
    facts, moment = wanted.run.facts, wanted.moment
    content = {**standings.tree(wanted.at_ns), **raw.at(wanted.run, wanted.at_ns)}
    return {
        "Tenant": facts.tenant,
        "RunId": facts.run_id,
        "SnapshotId": wanted.snapshot_id,
        "SessionId": facts.session_id,
        "TraceId": facts.trace_id,
        "RunName": facts.name,
        "Environment": facts.environment,
        "Project": facts.project,
        "User": facts.user,
        "Service": facts.service,
        "Trigger": moment.trigger.value,
        "Place": moment.place,
        "At": wanted.at_ns,
        "Name": moment.name,
        "Reason": moment.reason,
        "AgentId": moment.agent_id,
        **_counted(standings.counters(wanted.at_ns)),
        "Content": json.dumps(content, ensure_ascii=False),
        "StateKind": moment.state.kind,
        "StateHash": moment.state.hash,
        "StateBytes": moment.state.size_bytes,
        "StateChunks": list(moment.state.chunks),
        "RunOpen": int(facts.open),
        "TakenAt": now_ns // 1_000_000,
        "Bucket": facts.bucket_s,
        "Version": now_ns,
        "IsDeleted": 0,
    }


def _counted(counters: Counters) -> dict[str, Any]:
    return {
        "Agents": counters.agents,
        "AgentsRunning": counters.agents_running,
        "AgentsFailed": counters.agents_failed,
        "LlmCalls": counters.llm_calls,
        "ToolCalls": counters.tool_calls,
        "ToolsRunning": counters.tools_running,
        "Errors": counters.errors,
        **dict(zip(_TOKENS, counters.tokens, strict=True)),
        "CostUsd": counters.cost_usd,
    }


_TEXT: Final = pa.string()
LAYOUT: Final = pa.schema(
    [
        *((name, _TEXT) for name in ("Tenant", "RunId", "SnapshotId", "SessionId")),
        *((name, _TEXT) for name in ("TraceId", "RunName", "Environment", "Project")),
        *((name, _TEXT) for name in ("User", "Service", "Trigger", "Place")),
        ("At", pa.timestamp("ns")),
        *((name, _TEXT) for name in ("Name", "Reason", "AgentId")),
        *((name, pa.uint32()) for name in ("Agents", "AgentsRunning", "AgentsFailed")),
        *((name, pa.uint32()) for name in ("LlmCalls", "ToolCalls", "ToolsRunning")),
        ("Errors", pa.uint32()),
        *((name, pa.int64()) for name in _TOKENS),
        ("CostUsd", pa.float64()),
        *((name, _TEXT) for name in ("Content", "StateKind", "StateHash")),
        ("StateBytes", pa.uint64()),
        ("StateChunks", pa.list_(_TEXT)),
        ("RunOpen", pa.uint8()),
        ("TakenAt", pa.timestamp("ms")),
        ("Bucket", pa.timestamp("s")),
        ("Version", pa.uint64()),
        ("IsDeleted", pa.uint8()),
    ]
)

TOMBSTONE: Final = pa.schema(
    [
        LAYOUT.field(name)
        for name in ("Tenant", "RunId", "SnapshotId", "Bucket", "Version", "IsDeleted")
    ]
)
