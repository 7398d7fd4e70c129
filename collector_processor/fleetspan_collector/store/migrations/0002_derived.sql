-- Everything here is derived from the raw tables, idempotently, and can be made again.
--
-- evidence: what each source says of each thing, one row per (thing, source). Two
-- reports of one source: the higher Rank wins whole, whatever the order of arrival
-- (Rank is computed from the content alone). GroupKey is what resolving groups by
-- (the trace, unless the dialect states its session on every record). Keyed group
-- first, with small granules, because it is read by group.

CREATE TABLE IF NOT EXISTS @database@.evidence @on_cluster@
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
ENGINE = @replicated@ReplacingMergeTree(Rank)
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, GroupKey, Key, Source)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * @evidence_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

-- Which groups tell of a stated run: a run that spans several traces is resolved as one.
CREATE TABLE IF NOT EXISTS @database@.evidence_links @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    GroupKey String CODEC(ZSTD(1)),
    LastActivity SimpleAggregateFunction(max, DateTime64(9)) CODEC(ZSTD(1))
)
ENGINE = @replicated@AggregatingMergeTree
ORDER BY (Tenant, RunId, GroupKey)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(LastActivity), 1000000000) + 86400 * @evidence_days@, 4294967295))
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

-- What resolving has written for a group: under which hour (which never changes once
-- written, so that a later report replaces its row) and with which content.
CREATE TABLE IF NOT EXISTS @database@.canonical_keys @on_cluster@
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
ENGINE = @replicated@ReplacingMergeTree(Version)
PARTITION BY toYYYYMM(Bucket)
ORDER BY (Tenant, GroupKey, Kind, Key)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS @database@.canonical_runs @on_cluster@
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
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS @database@.canonical_agents @on_cluster@
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
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, TraceId, AgentId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS @database@.canonical_llm_calls @on_cluster@
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
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, TraceId, CallId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

CREATE TABLE IF NOT EXISTS @database@.canonical_tool_calls @on_cluster@
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
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, TraceId, SpanId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;
