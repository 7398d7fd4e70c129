"""What a statement reads, so that it waits for that and no more."""

from __future__ import annotations

import re
from typing import Final

_DERIVED_TABLES: Final = frozenset(
    ("runs", "agents", "llm_calls", "tool_calls", "evidence", "evidence_links")
    + ("canonical_runs", "canonical_agents", "canonical_llm_calls")
    + ("canonical_tool_calls", "canonical_keys", "otel_traces_trace_id_ts")
)
_ANALYSED_TABLES: Final = frozenset(
    ("findings", "run_analyses", "agent_rollups", "snapshots", "deliveries", "outcomes")
    + ("stored_findings", "stored_analyses", "stored_agent_rollups")
    + (
        "stored_snapshots",
        "stored_outcomes",
        "stored_deliveries",
        "stored_baselines",
        "baseline_hours",
    )
)
_RAW: Final = ("otel_", "claude_", "snapshot_", "large_values")


def reads_store(query: str) -> bool:
    """Tell whether a statement may read tables of the store at all."""
    words = _words(query)
    known = _DERIVED_TABLES | _ANALYSED_TABLES
    return bool(words & known) or any(word.startswith(_RAW) for word in words)


def reads_derived(query: str) -> bool:
    """Tell whether a statement may read more than raw rows, which can be read sooner."""
    words = _words(query)
    return bool(words & _DERIVED_TABLES) or not any(
        word.startswith("otel_") for word in words
    )


def reads_analysed(query: str) -> bool:
    """Tell whether a statement reads what processors say of runs."""
    return bool(_ANALYSED_TABLES & _words(query))


def _words(query: str) -> set[str]:
    return set(re.findall(r"[a-z_0-9]+", query.lower()))
