"""The columns of a run's tables: those of the views that processors need, and no others."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

_TIME: Final = pa.timestamp("ns")

AGENTS: Final = pa.schema(
    [
        ("AgentId", pa.string()),
        ("ParentAgentId", pa.string()),
        ("SpawnToolCallId", pa.string()),
        ("Name", pa.string()),
        ("Type", pa.string()),
        ("Model", pa.string()),
        ("Task", pa.string()),
        ("SpanId", pa.string()),
        ("StartTime", _TIME),
        ("EndTime", _TIME),
        ("LastActivity", _TIME),
        ("Status", pa.string()),
        ("Error", pa.string()),
        ("Activations", pa.uint32()),
        ("TimeSource", pa.string()),
    ]
)
"""``EndTime`` is null while it goes on; texts that are unknown are ``""``."""

LLM_CALLS: Final = pa.schema(
    [
        ("CallId", pa.string()),
        ("AgentId", pa.string()),
        ("Model", pa.string()),
        ("Provider", pa.string()),
        ("InputTokens", pa.int64()),
        ("CacheReadTokens", pa.int64()),
        ("CacheWriteTokens", pa.int64()),
        ("CacheWrite5mTokens", pa.int64()),
        ("CacheWrite1hTokens", pa.int64()),
        ("OutputTokens", pa.int64()),
        ("ReasoningTokens", pa.int64()),
        ("CostUsd", pa.float64()),
        ("ServiceTier", pa.string()),
        ("WebSearches", pa.int64()),
        ("SpanId", pa.string()),
        ("StartTime", _TIME),
        ("DurationMs", pa.float64()),
        ("TimeToFirstTokenMs", pa.float64()),
        ("Attempts", pa.uint32()),
        ("FinishReason", pa.string()),
        ("Error", pa.string()),
    ]
)
"""``InputTokens`` is without cache. Numbers that are unknown are null."""

TOOL_CALLS: Final = pa.schema(
    [
        ("ToolCallId", pa.string()),
        ("AgentId", pa.string()),
        ("Tool", pa.string()),
        ("ArgumentsHash", pa.string()),
        ("ResultHash", pa.string()),
        ("ResultBytes", pa.int64()),
        ("SpanId", pa.string()),
        ("StartTime", _TIME),
        ("DurationMs", pa.float64()),
        ("PermissionWaitMs", pa.float64()),
        ("Success", pa.uint8()),
        ("Error", pa.string()),
        ("TimeSource", pa.string()),
    ]
)
"""``DurationMs`` is null while it goes on, or when nobody saw it end."""

FILES: Final = pa.schema(
    [
        ("AgentId", pa.string()),
        ("Path", pa.string()),
        ("Operation", pa.string()),
        ("StartTime", _TIME),
    ]
)
"""``Operation``: ``create``, ``modify``, ``delete``, ``rename`` or ``read``."""
