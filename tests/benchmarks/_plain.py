"""The plain standard table of spans, as an existing collector's exporter makes it.

The DDL of the clickhouseexporter's traces table (the form before text indexes, which runs
on every ClickHouse), and the same questions as some panels over its attribute maps: what
one has without us.
"""

from __future__ import annotations

from typing import Final

from fleetspan_collector.store._engine import Engine

DATABASE: Final = "plain"
_DDL: Final = """
CREATE TABLE plain.otel_traces
(
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ParentSpanId String CODEC(ZSTD(1)),
    TraceState String CODEC(ZSTD(1)),
    SpanName LowCardinality(String) CODEC(ZSTD(1)),
    SpanKind LowCardinality(String) CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    SpanAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    Duration UInt64 CODEC(ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (Timestamp DateTime64(9), Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    Links Nested (TraceId String, SpanId String, TraceState String,
        Attributes Map(LowCardinality(String), String)) CODEC(ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY toDate(Timestamp)
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp))
SETTINGS ttl_only_drop_parts = 1
"""
_CALL: Final = "SpanAttributes['gen_ai.operation.name'] = 'chat'"
_TOOL: Final = "SpanAttributes['gen_ai.operation.name'] = 'execute_tool'"
_COST: Final = "toFloat64OrZero(SpanAttributes['gen_ai.usage.cost'])"
_FROM: Final = "FROM plain.otel_traces WHERE $__timeFilter(Timestamp)"


def _tokens(kind: str) -> str:
    return f"sum(toInt64OrZero(SpanAttributes['gen_ai.usage.{kind}_tokens']))"


QUERIES: Final[dict[str, str]] = {
    "model-cost: Spend": f"SELECT sum({_COST}) {_FROM} AND {_CALL}",
    "model-cost: Cost by model": (
        "SELECT $__timeInterval(Timestamp) AS time,"
        f" SpanAttributes['gen_ai.response.model'] AS model, sum({_COST}) {_FROM}"
        f" AND {_CALL} GROUP BY time, model ORDER BY time"
    ),
    "model-cost: Tokens by kind": (
        f"SELECT $__timeInterval(Timestamp) AS time, {_tokens('input')},"
        f" {_tokens('cache_read.input')}, {_tokens('output')} {_FROM} AND {_CALL}"
        " GROUP BY time ORDER BY time"
    ),
    "model-cost: Answer time by model, p95": (
        "SELECT $__timeInterval(Timestamp) AS time,"
        " SpanAttributes['gen_ai.response.model'] AS model,"
        f" quantile(0.95)(Duration) {_FROM} AND {_CALL} GROUP BY time, model ORDER BY time"
    ),
    "tools: Failures by tool": (
        "SELECT $__timeInterval(Timestamp) AS time, SpanAttributes['gen_ai.tool.name']"
        f" AS tool, countIf(StatusCode = 'Error') / count() {_FROM} AND {_TOOL}"
        " GROUP BY time, tool ORDER BY time"
    ),
    "tools: Tools": (
        "SELECT SpanAttributes['gen_ai.tool.name'] AS tool, count(),"
        " countIf(StatusCode = 'Error') / count(), quantiles(0.5, 0.95)(Duration),"
        f" max(Duration), sum(Duration) {_FROM} AND {_TOOL} GROUP BY tool"
    ),
    # Without a tree: what an agent's calls cost, by the name that each call repeats.
    "agents: Agents by name": (
        "SELECT SpanAttributes['gen_ai.agent.name'] AS agent, count(),"
        f" countIf(StatusCode = 'Error') / count(), sum({_COST}) AS cost,"
        f" {_tokens('input')}, {_tokens('output')} {_FROM}"
        " GROUP BY agent ORDER BY cost DESC LIMIT 200"
    ),
    "sessions: Latest sessions": (
        "SELECT max(Timestamp) AS time, SpanAttributes['gen_ai.conversation.id']"
        f" AS session, any(SpanAttributes['user.id']), sum({_COST}), count() {_FROM}"
        " GROUP BY session ORDER BY time DESC LIMIT 200"
    ),
}
"""The questions of panels, by the panel's dashboard and title."""


def make(engine: Engine) -> None:
    """Make the empty table."""
    engine.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    engine.command(_DDL)


def copy(engine: Engine) -> None:
    """Put the spans of the store's own table into it."""
    columns = engine.arrow(
        "SELECT name FROM system.columns WHERE database = 'plain'"
        " AND table = 'otel_traces' ORDER BY position"
    )["name"].to_pylist()
    listed = ", ".join(f"`{name}`" for name in columns)
    engine.command(
        f"INSERT INTO plain.otel_traces ({listed}) SELECT {listed} FROM otel.otel_traces"
        " SETTINGS max_insert_threads = 1, max_block_size = 200000"
    )
