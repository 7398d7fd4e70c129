-- Fleetspan's tables on a ClickHouse cluster; see "On a cluster" in
-- collector_processor/fleetspan_collector/store/README.md.
-- Written by: python -m fleetspan_collector.store.ddl
-- Needs ClickHouse 25.8 or later, Keeper or ZooKeeper, and on every server the macros
-- cluster, shard and replica. Run it once, on any node:
--   clickhouse-client --queries-file cluster.sql
-- Collectors then use FLEETSPAN_STORE=clickhouse://USER:PASSWORD@HOST:8123/otel?cluster=NAME

CREATE DATABASE IF NOT EXISTS otel ON CLUSTER '{cluster}';

CREATE TABLE IF NOT EXISTS otel.fleetspan_schema ON CLUSTER '{cluster}' (Generation UInt32, AppliedAt DateTime DEFAULT now()) ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/otel/fleetspan_schema', '{shard}-{replica}') ORDER BY Generation SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_traces_local ON CLUSTER '{cluster}'
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
    Duration UInt64 CODEC(T64, ZSTD(1)),
    StatusCode LowCardinality(String) CODEC(ZSTD(1)),
    StatusMessage String CODEC(ZSTD(1)),
    Events Nested (
        Timestamp DateTime64(9),
        Name LowCardinality(String),
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Links Nested (
        TraceId String,
        SpanId String,
        TraceState String,
        Attributes Map(LowCardinality(String), String)
    ) CODEC(ZSTD(1)),
    Tenant LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchOrdinal UInt32 DEFAULT 0 CODEC(Delta(4), ZSTD(1)),
    ReceivedAt DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_key mapKeys(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_span_attr_value mapValues(SpanAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_duration Duration TYPE minmax GRANULARITY 1,
    INDEX idx_batch BatchId TYPE minmax GRANULARITY 1,
    INDEX idx_received ReceivedAt TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/otel_traces_local', '{replica}')
PARTITION BY toDate(Timestamp)
PRIMARY KEY (ServiceName, SpanName, toDateTime(Timestamp))
ORDER BY (ServiceName, SpanName, toDateTime(Timestamp), Timestamp)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(Timestamp), 1000000000) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_traces_trace_id_ts_local ON CLUSTER '{cluster}'
(
    TraceId String CODEC(ZSTD(1)),
    Start SimpleAggregateFunction(min, DateTime) CODEC(Delta(4), ZSTD(1)),
    End SimpleAggregateFunction(max, DateTime) CODEC(Delta(4), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/otel/otel_traces_trace_id_ts_local', '{replica}')
PARTITION BY toStartOfWeek(Start)
ORDER BY TraceId
TTL toDateTime(least(toUInt64(Start) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_logs_local ON CLUSTER '{cluster}'
(
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    TraceFlags UInt8,
    SeverityText LowCardinality(String) CODEC(ZSTD(1)),
    SeverityNumber UInt8,
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    ResourceSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeSchemaUrl LowCardinality(String) CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion LowCardinality(String) CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    LogAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    EventName String CODEC(ZSTD(1)),
    TimestampTime DateTime ALIAS toDateTime(Timestamp),
    Tenant LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchOrdinal UInt32 DEFAULT 0 CODEC(Delta(4), ZSTD(1)),
    ReceivedAt DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_trace_id TraceId TYPE bloom_filter(0.001) GRANULARITY 1,
    INDEX idx_res_attr_key mapKeys(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_res_attr_value mapValues(ResourceAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_key mapKeys(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_log_attr_value mapValues(LogAttributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_lower_body lower(Body) TYPE tokenbf_v1(32768, 3, 0) GRANULARITY 8,
    INDEX idx_batch BatchId TYPE minmax GRANULARITY 1,
    INDEX idx_received ReceivedAt TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/otel_logs_local', '{replica}')
PARTITION BY toDate(Timestamp)
PRIMARY KEY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
ORDER BY (toStartOfFiveMinutes(Timestamp), ServiceName, Timestamp)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(Timestamp), 1000000000) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_metrics_gauge_local ON CLUSTER '{cluster}'
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    TimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    Tenant LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchOrdinal UInt32 DEFAULT 0 CODEC(Delta(4), ZSTD(1)),
    ReceivedAt DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_batch BatchId TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/otel_metrics_gauge_local', '{replica}')
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL toDateTime(least(toUInt64(TimeUnix) + 86400 * 90, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_metrics_sum_local ON CLUSTER '{cluster}'
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    TimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    Value Float64 CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    IsMonotonic Boolean CODEC(ZSTD(1)),
    Tenant LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchOrdinal UInt32 DEFAULT 0 CODEC(Delta(4), ZSTD(1)),
    ReceivedAt DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_batch BatchId TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/otel_metrics_sum_local', '{replica}')
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL toDateTime(least(toUInt64(TimeUnix) + 86400 * 90, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_metrics_histogram_local ON CLUSTER '{cluster}'
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    TimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    Count UInt64 CODEC(Delta(8), ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    BucketCounts Array(UInt64) CODEC(ZSTD(1)),
    ExplicitBounds Array(Float64) CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Min Float64 CODEC(ZSTD(1)),
    Max Float64 CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    Tenant LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchOrdinal UInt32 DEFAULT 0 CODEC(Delta(4), ZSTD(1)),
    ReceivedAt DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_batch BatchId TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/otel_metrics_histogram_local', '{replica}')
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL toDateTime(least(toUInt64(TimeUnix) + 86400 * 90, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_metrics_exponential_histogram_local ON CLUSTER '{cluster}'
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    TimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    Count UInt64 CODEC(Delta(8), ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    Scale Int32 CODEC(ZSTD(1)),
    ZeroCount UInt64 CODEC(ZSTD(1)),
    PositiveOffset Int32 CODEC(ZSTD(1)),
    PositiveBucketCounts Array(UInt64) CODEC(ZSTD(1)),
    NegativeOffset Int32 CODEC(ZSTD(1)),
    NegativeBucketCounts Array(UInt64) CODEC(ZSTD(1)),
    Exemplars Nested (
        FilteredAttributes Map(LowCardinality(String), String),
        TimeUnix DateTime,
        Value Float64,
        SpanId String,
        TraceId String
    ) CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Min Float64 CODEC(ZSTD(1)),
    Max Float64 CODEC(ZSTD(1)),
    AggregationTemporality Int32 CODEC(ZSTD(1)),
    Tenant LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchOrdinal UInt32 DEFAULT 0 CODEC(Delta(4), ZSTD(1)),
    ReceivedAt DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_batch BatchId TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/otel_metrics_exponential_histogram_local', '{replica}')
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL toDateTime(least(toUInt64(TimeUnix) + 86400 * 90, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.otel_metrics_summary_local ON CLUSTER '{cluster}'
(
    ResourceAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ResourceSchemaUrl String CODEC(ZSTD(1)),
    ScopeName String CODEC(ZSTD(1)),
    ScopeVersion String CODEC(ZSTD(1)),
    ScopeAttributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    ScopeDroppedAttrCount UInt32 CODEC(ZSTD(1)),
    ScopeSchemaUrl String CODEC(ZSTD(1)),
    ServiceName LowCardinality(String) CODEC(ZSTD(1)),
    MetricName LowCardinality(String) CODEC(ZSTD(1)),
    MetricDescription String CODEC(ZSTD(1)),
    MetricUnit String CODEC(ZSTD(1)),
    Attributes Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    StartTimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    TimeUnix DateTime CODEC(Delta(4), ZSTD(1)),
    Count UInt64 CODEC(Delta(8), ZSTD(1)),
    Sum Float64 CODEC(ZSTD(1)),
    ValueAtQuantiles Nested (
        Quantile Float64,
        Value Float64
    ) CODEC(ZSTD(1)),
    Flags UInt32 CODEC(ZSTD(1)),
    Tenant LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchId LowCardinality(String) DEFAULT '' CODEC(ZSTD(1)),
    BatchOrdinal UInt32 DEFAULT 0 CODEC(Delta(4), ZSTD(1)),
    ReceivedAt DateTime64(9) DEFAULT now64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_attr_key mapKeys(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_attr_value mapValues(Attributes) TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_time TimeUnix TYPE minmax GRANULARITY 1,
    INDEX idx_batch BatchId TYPE minmax GRANULARITY 1
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/otel_metrics_summary_local', '{replica}')
PARTITION BY toDate(TimeUnix)
ORDER BY (ServiceName, MetricName, toStartOfHour(TimeUnix), cityHash64(Attributes), TimeUnix)
TTL toDateTime(least(toUInt64(TimeUnix) + 86400 * 90, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.large_values_local ON CLUSTER '{cluster}'
(
    Hash String CODEC(ZSTD(1)),
    Bytes UInt64 CODEC(ZSTD(1)),
    Value String CODEC(ZSTD(3)),
    ReceivedAt DateTime DEFAULT now() CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/large_values_local', '{replica}')
ORDER BY Hash
TTL toDateTime(least(toUInt64(ReceivedAt) + 86400 * 30, 4294967295))
SETTINGS index_granularity = 16, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.evidence_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    GroupKey String CODEC(ZSTD(1)),
    Key String CODEC(ZSTD(1)),
    Source LowCardinality(String) CODEC(ZSTD(1)),
    SourceRank UInt8 CODEC(ZSTD(1)),
    Rank UInt64 CODEC(ZSTD(1)),
    Kind LowCardinality(String) CODEC(ZSTD(1)),
    ParentKey String CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    ParentAgentId String CODEC(ZSTD(1)),
    SpawnToolCallId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    Process LowCardinality(String) CODEC(ZSTD(1)),
    Name LowCardinality(String) CODEC(ZSTD(1)),
    Type LowCardinality(String) CODEC(ZSTD(1)),
    Task String CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    Provider LowCardinality(String) CODEC(ZSTD(1)),
    ResponseId String CODEC(ZSTD(1)),
    ToolCallId String CODEC(ZSTD(1)),
    ArgumentsHash String CODEC(ZSTD(1)),
    ResultHash String CODEC(ZSTD(1)),
    FinishReason LowCardinality(String) CODEC(ZSTD(1)),
    Error LowCardinality(String) CODEC(ZSTD(1)),
    Status LowCardinality(String) CODEC(ZSTD(1)),
    StartTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    EndTime Nullable(DateTime64(9)) CODEC(ZSTD(1)),
    LastActivity DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    UsageKnown UInt8 CODEC(ZSTD(1)),
    InputTokens Int64 CODEC(T64, ZSTD(1)),
    CacheReadTokens Int64 CODEC(T64, ZSTD(1)),
    CacheWriteTokens Int64 CODEC(T64, ZSTD(1)),
    CacheWrite5mTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWrite1hTokens Nullable(Int64) CODEC(ZSTD(1)),
    OutputTokens Int64 CODEC(T64, ZSTD(1)),
    ReasoningTokens Int64 CODEC(T64, ZSTD(1)),
    ReportedCostUsd Nullable(Float64) CODEC(ZSTD(1)),
    TimeToFirstTokenMs Nullable(Float64) CODEC(ZSTD(1)),
    Attempts Nullable(UInt32) CODEC(ZSTD(1)),
    ResultBytes Nullable(Int64) CODEC(ZSTD(1)),
    PermissionWaitMs Nullable(Float64) CODEC(ZSTD(1)),
    Success Nullable(UInt8) CODEC(ZSTD(1)),
    RulesVersion UInt16 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/evidence_local', '{replica}', Rank)
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, GroupKey, Key, Source)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.evidence_links_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    GroupKey String CODEC(ZSTD(1)),
    LastActivity SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1))
)
ENGINE = ReplicatedAggregatingMergeTree('/clickhouse/tables/{shard}/otel/evidence_links_local', '{replica}')
ORDER BY (Tenant, RunId, GroupKey)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(LastActivity), 1000000000) + 86400 * 30, 4294967295))
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.canonical_keys_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    GroupKey String CODEC(ZSTD(1)),
    Kind LowCardinality(String) CODEC(ZSTD(1)),
    Key String CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Fingerprint UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/canonical_keys_local', '{replica}', Version)
PARTITION BY toYYYYMM(Bucket)
ORDER BY (Tenant, GroupKey, Kind, Key)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.canonical_runs_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    Status LowCardinality(String) CODEC(ZSTD(1)),
    StartTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    EndTime Nullable(DateTime64(9)) CODEC(ZSTD(1)),
    LastActivity DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Agents UInt32 CODEC(ZSTD(1)),
    LlmCalls UInt32 CODEC(ZSTD(1)),
    ToolCalls UInt32 CODEC(ZSTD(1)),
    Errors UInt32 CODEC(ZSTD(1)),
    Depth UInt16 CODEC(ZSTD(1)),
    FanOut UInt32 CODEC(ZSTD(1)),
    InputTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheReadTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWriteTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWrite5mTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWrite1hTokens Nullable(Int64) CODEC(ZSTD(1)),
    OutputTokens Nullable(Int64) CODEC(ZSTD(1)),
    ReasoningTokens Nullable(Int64) CODEC(ZSTD(1)),
    CostUsd Nullable(Float64) CODEC(ZSTD(1)),
    ReportedCostUsd Nullable(Float64) CODEC(ZSTD(1)),
    UnpricedCalls UInt32 CODEC(ZSTD(1)),
    OrphanSpans UInt32 CODEC(ZSTD(1)),
    RulesVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/canonical_runs_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.canonical_agents_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    ParentAgentId Nullable(String) CODEC(ZSTD(1)),
    SpawnToolCallId Nullable(String) CODEC(ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    Type LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    Task String CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    StartTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    EndTime Nullable(DateTime64(9)) CODEC(ZSTD(1)),
    LastActivity DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Status LowCardinality(String) CODEC(ZSTD(1)),
    Error LowCardinality(String) CODEC(ZSTD(1)),
    Activations UInt32 CODEC(ZSTD(1)),
    Sources Array(LowCardinality(String)) CODEC(ZSTD(1)),
    RulesVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/canonical_agents_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, TraceId, AgentId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.canonical_llm_calls_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    CallId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    Provider LowCardinality(String) CODEC(ZSTD(1)),
    InputTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheReadTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWriteTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWrite5mTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWrite1hTokens Nullable(Int64) CODEC(ZSTD(1)),
    OutputTokens Nullable(Int64) CODEC(ZSTD(1)),
    ReasoningTokens Nullable(Int64) CODEC(ZSTD(1)),
    ReportedCostUsd Nullable(Float64) CODEC(ZSTD(1)),
    CostUsd Nullable(Float64) CODEC(ZSTD(1)),
    PriceVersion LowCardinality(String) CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    ResponseId String CODEC(ZSTD(1)),
    StartTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    DurationMs Nullable(Float64) CODEC(ZSTD(1)),
    TimeToFirstTokenMs Nullable(Float64) CODEC(ZSTD(1)),
    Attempts Nullable(UInt32) CODEC(ZSTD(1)),
    FinishReason LowCardinality(String) CODEC(ZSTD(1)),
    Error LowCardinality(String) CODEC(ZSTD(1)),
    Sources Array(LowCardinality(String)) CODEC(ZSTD(1)),
    RulesVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/canonical_llm_calls_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, TraceId, CallId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.canonical_tool_calls_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    ToolCallId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    Tool LowCardinality(String) CODEC(ZSTD(1)),
    ArgumentsHash String CODEC(ZSTD(1)),
    ResultHash String CODEC(ZSTD(1)),
    ResultBytes Nullable(Int64) CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    StartTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    DurationMs Nullable(Float64) CODEC(ZSTD(1)),
    PermissionWaitMs Nullable(Float64) CODEC(ZSTD(1)),
    Success Nullable(UInt8) CODEC(ZSTD(1)),
    Error LowCardinality(String) CODEC(ZSTD(1)),
    Sources Array(LowCardinality(String)) CODEC(ZSTD(1)),
    RulesVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/canonical_tool_calls_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, TraceId, SpanId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.claude_hooks_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Event LowCardinality(String) CODEC(ZSTD(1)),

    EventTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TimeSource LowCardinality(String) CODEC(ZSTD(1)),
    DeliveryId String CODEC(ZSTD(1)),
    TraceParent String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    AgentType LowCardinality(String) CODEC(ZSTD(1)),
    PromptId String CODEC(ZSTD(1)),
    ToolUseId String CODEC(ZSTD(1)),
    ToolName LowCardinality(String) CODEC(ZSTD(1)),
    Cwd String CODEC(ZSTD(1)),
    TranscriptPath String CODEC(ZSTD(1)),

    Body String CODEC(ZSTD(3)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/claude_hooks_local', '{replica}')
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, SessionId, EventTime)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.claude_transcript_lines_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),

    FileSessionId String CODEC(ZSTD(1)),
    Path String CODEC(ZSTD(1)),
    Offset UInt64 CODEC(Delta(8), ZSTD(1)),


    SessionId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    Type LowCardinality(String) CODEC(ZSTD(1)),
    Uuid String CODEC(ZSTD(1)),
    ParentUuid String CODEC(ZSTD(1)),

    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Version LowCardinality(String) CODEC(ZSTD(1)),

    Body String CODEC(ZSTD(3)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_uuid Uuid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/claude_transcript_lines_local', '{replica}')
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, FileSessionId, Path, Offset)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;

ALTER TABLE otel.evidence_local ON CLUSTER '{cluster}'
    ADD COLUMN IF NOT EXISTS TraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS SpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS RequestId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ServiceTier LowCardinality(String) CODEC(ZSTD(1)),

    ADD COLUMN IF NOT EXISTS WebSearches Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ClientVersion LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS TimeSource LowCardinality(String) CODEC(ZSTD(1));

ALTER TABLE otel.canonical_runs_local ON CLUSTER '{cluster}'
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ClientVersion LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS Sources Array(LowCardinality(String)) CODEC(ZSTD(1)),

    ADD COLUMN IF NOT EXISTS UnattributedUsd Nullable(Float64) CODEC(ZSTD(1));

ALTER TABLE otel.canonical_agents_local ON CLUSTER '{cluster}'
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelSpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS TimeSource LowCardinality(String) CODEC(ZSTD(1));

ALTER TABLE otel.canonical_llm_calls_local ON CLUSTER '{cluster}'
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelSpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS RequestId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ServiceTier LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS WebSearches Nullable(Int64) CODEC(ZSTD(1));

ALTER TABLE otel.canonical_tool_calls_local ON CLUSTER '{cluster}'
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelSpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS TimeSource LowCardinality(String) CODEC(ZSTD(1));

CREATE TABLE IF NOT EXISTS otel.stored_findings_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    FindingId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    RunName String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    Detector LowCardinality(String) CODEC(ZSTD(1)),
    Severity Enum8('info' = 0, 'low' = 1, 'medium' = 2, 'high' = 3, 'critical' = 4) CODEC(ZSTD(1)),

    At DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    AgentName String CODEC(ZSTD(1)),
    What String CODEC(ZSTD(1)),
    Advice String CODEC(ZSTD(1)),

    Seconds Nullable(Float64) CODEC(ZSTD(1)),
    Usd Nullable(Float64) CODEC(ZSTD(1)),

    SpanIds Array(String) CODEC(ZSTD(1)),
    AgentIds Array(String) CODEC(ZSTD(1)),
    CallIds Array(String) CODEC(ZSTD(1)),
    ToolCallIds Array(String) CODEC(ZSTD(1)),

    Details String CODEC(ZSTD(1)),

    ContentHash UInt64 CODEC(ZSTD(1)),

    RunOpen UInt8 CODEC(ZSTD(1)),

    FoundAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    ProcessorsVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/stored_findings_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId, FindingId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.stored_analyses_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    RunName String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),
    StartTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),

    WallSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ModelSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ToolSeconds Nullable(Float64) CODEC(ZSTD(1)),
    PermissionSeconds Nullable(Float64) CODEC(ZSTD(1)),
    QueueSeconds Nullable(Float64) CODEC(ZSTD(1)),
    BackoffSeconds Nullable(Float64) CODEC(ZSTD(1)),
    SubagentSeconds Nullable(Float64) CODEC(ZSTD(1)),
    GapSeconds Nullable(Float64) CODEC(ZSTD(1)),

    BusySeconds Nullable(Float64) CODEC(ZSTD(1)),

    PathStart Array(DateTime64(9)) CODEC(ZSTD(1)),
    PathEnd Array(DateTime64(9)) CODEC(ZSTD(1)),
    PathCategory Array(LowCardinality(String)) CODEC(ZSTD(1)),
    PathAgentId Array(String) CODEC(ZSTD(1)),

    PathKey Array(String) CODEC(ZSTD(1)),

    TaskKind LowCardinality(String) CODEC(ZSTD(1)),
    Complexity Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityContext Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityKind Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityFiles Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityFailures Nullable(Float64) CODEC(ZSTD(1)),

    Effort Nullable(Float64) CODEC(ZSTD(1)),
    FilesTouched UInt32 CODEC(ZSTD(1)),

    SavedSeconds Nullable(Float64) CODEC(ZSTD(1)),
    SavedUsd Nullable(Float64) CODEC(ZSTD(1)),

    SetAside Array(String) CODEC(ZSTD(1)),
    RunOpen UInt8 CODEC(ZSTD(1)),

    RunVersion UInt64 CODEC(ZSTD(1)),
    AnalysedAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    ProcessorsVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/stored_analyses_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.stored_agent_rollups_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    ParentAgentId String CODEC(ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    Type LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    TaskKind LowCardinality(String) CODEC(ZSTD(1)),
    Status LowCardinality(String) CODEC(ZSTD(1)),
    StartTime DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Depth UInt16 CODEC(ZSTD(1)),
    FanOut UInt32 CODEC(ZSTD(1)),
    TreeAgents UInt32 CODEC(ZSTD(1)),
    LlmCalls UInt32 CODEC(ZSTD(1)),
    TreeLlmCalls UInt32 CODEC(ZSTD(1)),
    ToolCalls UInt32 CODEC(ZSTD(1)),
    TreeToolCalls UInt32 CODEC(ZSTD(1)),
    Errors UInt32 CODEC(ZSTD(1)),
    TreeErrors UInt32 CODEC(ZSTD(1)),

    Tokens Nullable(Int64) CODEC(ZSTD(1)),
    TreeTokens Nullable(Int64) CODEC(ZSTD(1)),
    CostUsd Nullable(Float64) CODEC(ZSTD(1)),
    TreeCostUsd Nullable(Float64) CODEC(ZSTD(1)),

    WallSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ModelSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ToolSeconds Nullable(Float64) CODEC(ZSTD(1)),
    PermissionSeconds Nullable(Float64) CODEC(ZSTD(1)),
    QueueSeconds Nullable(Float64) CODEC(ZSTD(1)),
    BackoffSeconds Nullable(Float64) CODEC(ZSTD(1)),
    SubagentSeconds Nullable(Float64) CODEC(ZSTD(1)),
    GapSeconds Nullable(Float64) CODEC(ZSTD(1)),

    PathSeconds Nullable(Float64) CODEC(ZSTD(1)),

    SlackSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ProcessorsVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/stored_agent_rollups_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId, AgentId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.collectors ON CLUSTER '{cluster}'
(
    CollectorId String CODEC(ZSTD(1)),
    SeenAt DateTime64(3) CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/otel/collectors', '{shard}-{replica}', SeenAt)
ORDER BY CollectorId
TTL toDateTime(SeenAt) + INTERVAL 1 DAY;

CREATE TABLE IF NOT EXISTS otel.stored_baselines_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Hour DateTime CODEC(ZSTD(1)),
    Kind Enum8('run' = 0, 'agent' = 1, 'tool' = 2, 'model' = 3) CODEC(ZSTD(1)),

    Subject String CODEC(ZSTD(1)),
    Measure Enum8('seconds' = 0, 'usd' = 1) CODEC(ZSTD(1)),
    Quantiles AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1)),
    Samples UInt64 CODEC(ZSTD(1)),
    Runs AggregateFunction(uniqCombined(12), String) CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/stored_baselines_local', '{replica}', Version, IsDeleted)

PARTITION BY toYear(Hour)
ORDER BY (Tenant, Hour, Kind, Subject, Measure)
TTL toDateTime(least(toUInt64(Hour) + 86400 * 365, 4294967295))
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.baseline_hours ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Hour DateTime CODEC(ZSTD(1)),

    SeenVersion UInt64 CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/all/otel/baseline_hours', '{shard}-{replica}', Version)
PARTITION BY toYear(Hour)
ORDER BY (Tenant, Hour)
TTL toDateTime(least(toUInt64(Hour) + 86400 * 365, 4294967295))
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.snapshot_requests_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    RequestId String CODEC(ZSTD(1)),

    At DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    Reason String CODEC(ZSTD(1)),

    StateKind LowCardinality(String) CODEC(ZSTD(1)),
    StateHash String CODEC(ZSTD(1)),
    StateBytes UInt64 CODEC(ZSTD(1)),
    StateChunks Array(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_trace TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/snapshot_requests_local', '{replica}')
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, RunId, RequestId)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.snapshot_chunks_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Hash String CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/snapshot_chunks_local', '{replica}')
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, Hash)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * 30, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 8, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.stored_snapshots_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    SnapshotId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    RunName String CODEC(ZSTD(1)),
    Environment LowCardinality(String) CODEC(ZSTD(1)),
    Project LowCardinality(String) CODEC(ZSTD(1)),
    User String CODEC(ZSTD(1)),
    Service LowCardinality(String) CODEC(ZSTD(1)),


    Trigger LowCardinality(String) CODEC(ZSTD(1)),
    Place String CODEC(ZSTD(1)),

    At DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    Reason String CODEC(ZSTD(1)),

    AgentId String CODEC(ZSTD(1)),

    Agents UInt32 CODEC(ZSTD(1)),
    AgentsRunning UInt32 CODEC(ZSTD(1)),
    AgentsFailed UInt32 CODEC(ZSTD(1)),
    LlmCalls UInt32 CODEC(ZSTD(1)),
    ToolCalls UInt32 CODEC(ZSTD(1)),
    ToolsRunning UInt32 CODEC(ZSTD(1)),
    Errors UInt32 CODEC(ZSTD(1)),
    InputTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheReadTokens Nullable(Int64) CODEC(ZSTD(1)),
    CacheWriteTokens Nullable(Int64) CODEC(ZSTD(1)),
    OutputTokens Nullable(Int64) CODEC(ZSTD(1)),
    CostUsd Nullable(Float64) CODEC(ZSTD(1)),

    Content String CODEC(ZSTD(3)),
    StateKind LowCardinality(String) CODEC(ZSTD(1)),
    StateHash String CODEC(ZSTD(1)),
    StateBytes UInt64 CODEC(ZSTD(1)),
    StateChunks Array(String) CODEC(ZSTD(1)),

    RunOpen UInt8 CODEC(ZSTD(1)),
    TakenAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_snapshot SnapshotId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/stored_snapshots_local', '{replica}', Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId, SnapshotId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.stored_deliveries_local ON CLUSTER '{cluster}'
(

    Destination LowCardinality(String) CODEC(ZSTD(1)),
    Kind Enum8('finding' = 0, 'run' = 1, 'batch' = 2) CODEC(ZSTD(1)),

    Subject String CODEC(ZSTD(1)),

    Level UInt64 CODEC(ZSTD(1)),
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    Detector LowCardinality(String) CODEC(ZSTD(1)),

    DeliveryId String CODEC(ZSTD(1)),
    Attempt UInt16 CODEC(ZSTD(1)),

    Items UInt32 CODEC(ZSTD(1)),
    At DateTime64(3) CODEC(Delta(8), ZSTD(1)),


    Outcome LowCardinality(String) CODEC(ZSTD(1)),

    Code Nullable(Int32) CODEC(ZSTD(1)),
    DurationMs Float64 CODEC(ZSTD(1)),

    Answer String CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/{shard}/otel/stored_deliveries_local', '{replica}')
PARTITION BY toYYYYMM(At)
ORDER BY (Destination, Kind, Subject, At)
TTL toDateTime(least(toUInt64(toDateTime(At)) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.destinations ON CLUSTER '{cluster}'
(
    Destination String CODEC(ZSTD(1)),
    Since DateTime64(3) CODEC(ZSTD(1))
)
ENGINE = ReplicatedMergeTree('/clickhouse/tables/all/otel/destinations', '{shard}-{replica}')
ORDER BY Destination
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS otel.stored_outcomes_local ON CLUSTER '{cluster}'
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),

    At DateTime64(3) CODEC(Delta(8), ZSTD(1)),

    Workload LowCardinality(String) CODEC(ZSTD(1)),
    Role LowCardinality(String) CODEC(ZSTD(1)),
    Tools LowCardinality(String) CODEC(ZSTD(1)),
    Repository LowCardinality(String) CODEC(ZSTD(1)),
    TaskKind LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),

    Quality Float64 CODEC(ZSTD(1)),


    Verifier LowCardinality(String) CODEC(ZSTD(1)),
    CostUsd Nullable(Float64) CODEC(ZSTD(1)),
    Seconds Nullable(Float64) CODEC(ZSTD(1)),
    Tokens Nullable(Int64) CODEC(ZSTD(1)),


    Asked LowCardinality(String) CODEC(ZSTD(1)),
    Chosen LowCardinality(String) CODEC(ZSTD(1)),
    Propensity Nullable(Float64) CODEC(ZSTD(1)),

    Chances Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    Applied Nullable(UInt8) CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/otel/stored_outcomes_local', '{replica}', Version, IsDeleted)
PARTITION BY toYYYYMM(Bucket)
ORDER BY (Tenant, Bucket, RunId, AgentId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * 365, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE OR REPLACE TABLE otel.otel_traces ON CLUSTER '{cluster}' AS otel.otel_traces_local ENGINE = Distributed('{cluster}', otel, otel_traces_local, cityHash64(TraceId));

CREATE OR REPLACE TABLE otel.otel_traces_trace_id_ts ON CLUSTER '{cluster}' AS otel.otel_traces_trace_id_ts_local ENGINE = Distributed('{cluster}', otel, otel_traces_trace_id_ts_local, cityHash64(TraceId));

CREATE OR REPLACE TABLE otel.otel_logs ON CLUSTER '{cluster}' AS otel.otel_logs_local ENGINE = Distributed('{cluster}', otel, otel_logs_local, if(TraceId = '', cityHash64(ServiceName, Timestamp), cityHash64(TraceId)));

CREATE OR REPLACE TABLE otel.otel_metrics_gauge ON CLUSTER '{cluster}' AS otel.otel_metrics_gauge_local ENGINE = Distributed('{cluster}', otel, otel_metrics_gauge_local, cityHash64(ServiceName, MetricName, Attributes));

CREATE OR REPLACE TABLE otel.otel_metrics_sum ON CLUSTER '{cluster}' AS otel.otel_metrics_sum_local ENGINE = Distributed('{cluster}', otel, otel_metrics_sum_local, cityHash64(ServiceName, MetricName, Attributes));

CREATE OR REPLACE TABLE otel.otel_metrics_histogram ON CLUSTER '{cluster}' AS otel.otel_metrics_histogram_local ENGINE = Distributed('{cluster}', otel, otel_metrics_histogram_local, cityHash64(ServiceName, MetricName, Attributes));

CREATE OR REPLACE TABLE otel.otel_metrics_exponential_histogram ON CLUSTER '{cluster}' AS otel.otel_metrics_exponential_histogram_local ENGINE = Distributed('{cluster}', otel, otel_metrics_exponential_histogram_local, cityHash64(ServiceName, MetricName, Attributes));

CREATE OR REPLACE TABLE otel.otel_metrics_summary ON CLUSTER '{cluster}' AS otel.otel_metrics_summary_local ENGINE = Distributed('{cluster}', otel, otel_metrics_summary_local, cityHash64(ServiceName, MetricName, Attributes));

CREATE OR REPLACE TABLE otel.large_values ON CLUSTER '{cluster}' AS otel.large_values_local ENGINE = Distributed('{cluster}', otel, large_values_local, cityHash64(Hash));

CREATE OR REPLACE TABLE otel.claude_hooks ON CLUSTER '{cluster}' AS otel.claude_hooks_local ENGINE = Distributed('{cluster}', otel, claude_hooks_local, cityHash64(SessionId));

CREATE OR REPLACE TABLE otel.claude_transcript_lines ON CLUSTER '{cluster}' AS otel.claude_transcript_lines_local ENGINE = Distributed('{cluster}', otel, claude_transcript_lines_local, cityHash64(FileSessionId));

CREATE OR REPLACE TABLE otel.evidence ON CLUSTER '{cluster}' AS otel.evidence_local ENGINE = Distributed('{cluster}', otel, evidence_local, cityHash64(GroupKey));

CREATE OR REPLACE TABLE otel.evidence_links ON CLUSTER '{cluster}' AS otel.evidence_links_local ENGINE = Distributed('{cluster}', otel, evidence_links_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.canonical_keys ON CLUSTER '{cluster}' AS otel.canonical_keys_local ENGINE = Distributed('{cluster}', otel, canonical_keys_local, cityHash64(GroupKey));

CREATE OR REPLACE TABLE otel.canonical_runs ON CLUSTER '{cluster}' AS otel.canonical_runs_local ENGINE = Distributed('{cluster}', otel, canonical_runs_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.canonical_agents ON CLUSTER '{cluster}' AS otel.canonical_agents_local ENGINE = Distributed('{cluster}', otel, canonical_agents_local, cityHash64(TraceId));

CREATE OR REPLACE TABLE otel.canonical_llm_calls ON CLUSTER '{cluster}' AS otel.canonical_llm_calls_local ENGINE = Distributed('{cluster}', otel, canonical_llm_calls_local, cityHash64(TraceId));

CREATE OR REPLACE TABLE otel.canonical_tool_calls ON CLUSTER '{cluster}' AS otel.canonical_tool_calls_local ENGINE = Distributed('{cluster}', otel, canonical_tool_calls_local, cityHash64(TraceId));

CREATE OR REPLACE TABLE otel.stored_findings ON CLUSTER '{cluster}' AS otel.stored_findings_local ENGINE = Distributed('{cluster}', otel, stored_findings_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.stored_analyses ON CLUSTER '{cluster}' AS otel.stored_analyses_local ENGINE = Distributed('{cluster}', otel, stored_analyses_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.stored_agent_rollups ON CLUSTER '{cluster}' AS otel.stored_agent_rollups_local ENGINE = Distributed('{cluster}', otel, stored_agent_rollups_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.stored_outcomes ON CLUSTER '{cluster}' AS otel.stored_outcomes_local ENGINE = Distributed('{cluster}', otel, stored_outcomes_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.stored_snapshots ON CLUSTER '{cluster}' AS otel.stored_snapshots_local ENGINE = Distributed('{cluster}', otel, stored_snapshots_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.snapshot_requests ON CLUSTER '{cluster}' AS otel.snapshot_requests_local ENGINE = Distributed('{cluster}', otel, snapshot_requests_local, cityHash64(RunId));

CREATE OR REPLACE TABLE otel.snapshot_chunks ON CLUSTER '{cluster}' AS otel.snapshot_chunks_local ENGINE = Distributed('{cluster}', otel, snapshot_chunks_local, cityHash64(Hash));

CREATE OR REPLACE TABLE otel.stored_baselines ON CLUSTER '{cluster}' AS otel.stored_baselines_local ENGINE = Distributed('{cluster}', otel, stored_baselines_local, cityHash64(Subject));

CREATE OR REPLACE TABLE otel.stored_deliveries ON CLUSTER '{cluster}' AS otel.stored_deliveries_local ENGINE = Distributed('{cluster}', otel, stored_deliveries_local, cityHash64(Subject));

INSERT INTO otel.fleetspan_schema (Generation) VALUES (1);

INSERT INTO otel.fleetspan_schema (Generation) VALUES (2);

INSERT INTO otel.fleetspan_schema (Generation) VALUES (3);

INSERT INTO otel.fleetspan_schema (Generation) VALUES (4);

INSERT INTO otel.fleetspan_schema (Generation) VALUES (5);

INSERT INTO otel.fleetspan_schema (Generation) VALUES (6);

INSERT INTO otel.fleetspan_schema (Generation) VALUES (7);

INSERT INTO otel.fleetspan_schema (Generation) VALUES (8);

CREATE OR REPLACE VIEW otel.runs ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (Status, TraceId, OtelTraceId, Version, IsDeleted),
    canonical_runs.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(canonical_runs.Status = 'running' AND LastActivity < now() - toIntervalSecond(900), 'abandoned', canonical_runs.Status) AS Status
FROM otel.canonical_runs FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.agents ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (Status, TraceId, SpanId, OtelTraceId, OtelSpanId, Version, IsDeleted),
    canonical_agents.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(length(GroupKey) = 32, canonical_agents.SpanId, OtelSpanId) AS SpanId,
    if(canonical_agents.Status = 'running' AND LastActivity < now() - toIntervalSecond(900), 'abandoned', canonical_agents.Status) AS Status
FROM otel.canonical_agents FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.llm_calls ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (TraceId, SpanId, OtelTraceId, OtelSpanId, Version, IsDeleted),
    canonical_llm_calls.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(length(GroupKey) = 32, canonical_llm_calls.SpanId, OtelSpanId) AS SpanId
FROM otel.canonical_llm_calls FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.tool_calls ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (TraceId, SpanId, OtelTraceId, OtelSpanId, Version, IsDeleted),
    canonical_tool_calls.TraceId AS GroupKey,
    multiIf(OtelTraceId != '', OtelTraceId, length(GroupKey) = 32, GroupKey, '') AS TraceId,
    if(length(GroupKey) = 32, canonical_tool_calls.SpanId, OtelSpanId) AS SpanId
FROM otel.canonical_tool_calls FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.findings ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (Version, IsDeleted)
FROM otel.stored_findings FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.run_analyses ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (Version, IsDeleted)
FROM otel.stored_analyses FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.agent_rollups ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (Version, IsDeleted)
FROM otel.stored_agent_rollups FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.snapshots ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (Version, IsDeleted)
FROM otel.stored_snapshots FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;

CREATE OR REPLACE VIEW otel.deliveries ON CLUSTER '{cluster}' AS
SELECT * FROM otel.stored_deliveries;

CREATE OR REPLACE VIEW otel.outcomes ON CLUSTER '{cluster}' AS
SELECT * EXCEPT (Version, IsDeleted)
FROM otel.stored_outcomes FINAL
SETTINGS do_not_merge_across_partitions_select_final = 1;
