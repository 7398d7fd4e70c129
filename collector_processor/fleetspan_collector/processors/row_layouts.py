"""The columns of the tables that analysis writes, but for Version and IsDeleted."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from fleetspan_collector.processors.critical_path import Category

_TIME: Final = pa.timestamp("ns")
_MILLISECONDS: Final = pa.timestamp("ms")
_TEXTS: Final = pa.list_(pa.string())

SECONDS: Final = {
    Category.MODEL: "ModelSeconds",
    Category.TOOL: "ToolSeconds",
    Category.PERMISSION: "PermissionSeconds",
    Category.QUEUE: "QueueSeconds",
    Category.BACKOFF: "BackoffSeconds",
    Category.SUBAGENT: "SubagentSeconds",
    Category.GAP: "GapSeconds",
}
"""Columns of a ledger by category."""

_WHERE: Final = [
    ("Tenant", pa.string()),
    ("RunId", pa.string()),
    ("SessionId", pa.string()),
    ("RunName", pa.string()),
    ("Environment", pa.string()),
    ("Project", pa.string()),
    ("User", pa.string()),
    ("Service", pa.string()),
    ("RunOpen", pa.uint8()),
    ("ProcessorsVersion", pa.uint16()),
    ("Bucket", pa.int64()),
]
_SPENT: Final = [
    ("WallSeconds", pa.float64()),
    *((name, pa.float64()) for name in SECONDS.values()),
]

FINDINGS: Final = pa.schema(
    [
        *_WHERE,
        ("FindingId", pa.string()),
        ("TraceId", pa.string()),
        ("Detector", pa.string()),
        ("Severity", pa.int8()),
        ("At", _TIME),
        ("AgentId", pa.string()),
        ("AgentName", pa.string()),
        ("What", pa.string()),
        ("Advice", pa.string()),
        ("Seconds", pa.float64()),
        ("Usd", pa.float64()),
        ("SpanIds", _TEXTS),
        ("AgentIds", _TEXTS),
        ("CallIds", _TEXTS),
        ("ToolCallIds", _TEXTS),
        ("Details", pa.string()),
        ("ContentHash", pa.uint64()),
        ("FoundAt", _MILLISECONDS),
    ]
)
"""Columns of ``stored_findings`` that are made here."""

ANALYSES: Final = pa.schema(
    [
        *_WHERE,
        ("StartTime", _TIME),
        *_SPENT,
        ("BusySeconds", pa.float64()),
        ("PathStart", pa.list_(_TIME)),
        ("PathEnd", pa.list_(_TIME)),
        ("PathCategory", _TEXTS),
        ("PathAgentId", _TEXTS),
        ("PathKey", _TEXTS),
        ("TaskKind", pa.string()),
        ("Complexity", pa.float64()),
        ("ComplexityContext", pa.float64()),
        ("ComplexityKind", pa.float64()),
        ("ComplexityFiles", pa.float64()),
        ("ComplexityFailures", pa.float64()),
        ("Effort", pa.float64()),
        ("FilesTouched", pa.uint32()),
        ("SavedSeconds", pa.float64()),
        ("SavedUsd", pa.float64()),
        ("SetAside", _TEXTS),
        ("RunVersion", pa.uint64()),
        ("AnalysedAt", _MILLISECONDS),
    ]
)
"""Columns of ``stored_analyses`` that are made here."""

ROLLUPS: Final = pa.schema(
    [
        *((name, pa.string()) for name in ("Tenant", "RunId", "AgentId")),
        *((name, pa.string()) for name in ("ParentAgentId", "Name", "Type", "Model")),
        ("TaskKind", pa.string()),
        ("Status", pa.string()),
        ("StartTime", _TIME),
        ("Depth", pa.uint16()),
        ("FanOut", pa.uint32()),
        ("TreeAgents", pa.uint32()),
        *(
            (f"{tree}{name}", pa.uint32())
            for name in ("LlmCalls", "ToolCalls", "Errors")
            for tree in ("", "Tree")
        ),
        ("Tokens", pa.int64()),
        ("TreeTokens", pa.int64()),
        ("CostUsd", pa.float64()),
        ("TreeCostUsd", pa.float64()),
        *_SPENT,
        ("PathSeconds", pa.float64()),
        ("SlackSeconds", pa.float64()),
        ("ProcessorsVersion", pa.uint16()),
        ("Bucket", pa.int64()),
    ]
)
"""Columns of ``stored_agent_rollups`` that are made here."""
