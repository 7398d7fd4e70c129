"""The schema on a cluster: what is sharded by what, and how its statements differ.

A sharded table ``X`` is three things: ``X_local`` on every node, replicated within its
shard; ``X`` on every node, a Distributed table over all shards, which everything reads and
writes; and the expression below, which says on which shard a row is. Rows that a merge
has to bring together (versions of a row, parts of an aggregate) have equal sharding keys,
so that they are on one shard and FINAL, which each shard runs for itself, is right.

Few and small tables are on every node whole instead, under their own name: all nodes are
replicas of one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

_BY_TRACE: Final = "cityHash64(TraceId)"
_BY_GROUP: Final = "cityHash64(GroupKey)"
_BY_RUN: Final = "cityHash64(RunId)"
_BY_SERIES: Final = "cityHash64(ServiceName, MetricName, Attributes)"

SHARDED_BY: Final = {
    "otel_traces": _BY_TRACE,
    "otel_traces_trace_id_ts": _BY_TRACE,
    # Of a trace, or of none: those are spread by their time.
    "otel_logs": "if(TraceId = '', cityHash64(ServiceName, Timestamp), cityHash64(TraceId))",
    **{
        f"otel_metrics_{kind}": _BY_SERIES
        for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    },
    "large_values": "cityHash64(Hash)",
    "claude_hooks": "cityHash64(SessionId)",
    "claude_transcript_lines": "cityHash64(FileSessionId)",
    "evidence": _BY_GROUP,
    "evidence_links": _BY_RUN,
    "canonical_keys": _BY_GROUP,
    "canonical_runs": _BY_RUN,
    # Their TraceId is the key of the group.
    "canonical_agents": _BY_TRACE,
    "canonical_llm_calls": _BY_TRACE,
    "canonical_tool_calls": _BY_TRACE,
    "stored_findings": _BY_RUN,
    "stored_analyses": _BY_RUN,
    "stored_agent_rollups": _BY_RUN,
    "stored_outcomes": _BY_RUN,
    "stored_snapshots": _BY_RUN,
    "snapshot_requests": _BY_RUN,
    "snapshot_chunks": "cityHash64(Hash)",
    "stored_baselines": "cityHash64(Subject)",
    "stored_deliveries": "cityHash64(Subject)",
}
EVERYWHERE: Final = frozenset(
    ("collectors", "destinations", "baseline_hours", "fleetspan_schema")
)
SETTINGS: Final[dict[str, int | str]] = {
    # An answer means that the rows are in their shards, not in a queue for them.
    "distributed_foreground_insert": 1,
    # Sub-queries over Distributed tables run once, and their result is sent along.
    "distributed_product_mode": "global",
    "prefer_global_in_and_join": 1,
    # A shard that is away makes a question fail: half an answer would be taken for whole,
    # and rows that it holds would be stored a second time.
    "skip_unavailable_shards": 0,
    # Everybody reads from, and writes to, the same replica as long as it lives.
    "load_balancing": "in_order",
}
"""What every statement on a cluster is run with."""

_DEFINED: Final = re.compile(
    r"\b(CREATE TABLE IF NOT EXISTS|ALTER TABLE) @database@\.(\w+) @on_cluster@"
)
_ENGINE: Final = re.compile(r"\bENGINE = @replicated@(\w+)(?:\(([^)]*)\))?")


def as_clustered(statement: str) -> str:
    """Return a statement of a migration as it is on a cluster; its tokens stay.

    Raises:
        KeyError: When it makes a table of which nothing is said here.
    """
    found = _DEFINED.search(statement)
    if found is None:
        return statement
    table = found[2]
    whole = table in EVERYWHERE
    if not whole:
        _ = SHARDED_BY[table]
    name = table if whole else f"{table}_local"
    text = _DEFINED.sub(rf"\1 @database@.{name} @on_cluster@", statement)
    place = "all" if whole else "{shard}"
    replica = "{shard}-{replica}" if whole else "{replica}"
    path = f"'/clickhouse/tables/{place}/@database@/{name}', '{replica}'"

    def engine(match: re.Match[str]) -> str:
        more = f", {match[2]}" if match[2] else ""
        return f"ENGINE = Replicated{match[1]}({path}{more})"

    return _ENGINE.sub(engine, text)


def distributed(cluster: str) -> Iterator[str]:
    """Yield the statements that make the Distributed tables anew; they hold no rows.

    Args:
        cluster: Name of the cluster as it stands in the statement.
    """
    for table, key in SHARDED_BY.items():
        yield (
            f"CREATE OR REPLACE TABLE @database@.{table} @on_cluster@"
            f" AS @database@.{table}_local"
            f" ENGINE = Distributed({cluster}, @database@, {table}_local, {key})"
        )
