-- Snapshots: what is done, running and pending of a run at a moment, and the state that
-- applications send with one.

-- What applications ask for. Raw: kept by the day of receipt.
CREATE TABLE IF NOT EXISTS @database@.snapshot_requests @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    RequestId String CODEC(ZSTD(1)),
    -- When it was asked for, by the application's clock.
    At DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    TraceId String CODEC(ZSTD(1)),
    SpanId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    Reason String CODEC(ZSTD(1)),
    -- bytes, text or json; empty without a state.
    StateKind LowCardinality(String) CODEC(ZSTD(1)),
    StateHash String CODEC(ZSTD(1)),
    StateBytes UInt64 CODEC(ZSTD(1)),
    StateChunks Array(String) CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_trace TraceId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = @replicated@ReplacingMergeTree
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, RunId, RequestId)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * @traces_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 512, fsync_after_insert = 1, fsync_part_directory = 1;

-- Pieces of applications' state by their own hash: each is stored once a day at most,
-- whoever sends it how often. Small granules, because a piece may have a megabyte.
CREATE TABLE IF NOT EXISTS @database@.snapshot_chunks @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Hash String CODEC(ZSTD(1)),
    Body String CODEC(ZSTD(1)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = @replicated@ReplacingMergeTree
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, Hash)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * @traces_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 8, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per snapshot. Its id comes from run, trigger and place, so that looking at a run
-- again replaces it.
CREATE TABLE IF NOT EXISTS @database@.stored_snapshots @on_cluster@
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
    -- What took it (agents, tokens, context_window, budget_tokens, budget_usd,
    -- error_burst, compaction, tool, abandoned, sdk, manual), and which time it was.
    Trigger LowCardinality(String) CODEC(ZSTD(1)),
    Place String CODEC(ZSTD(1)),
    -- The moment of which it tells, in the run's own time.
    At DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Name String CODEC(ZSTD(1)),
    Reason String CODEC(ZSTD(1)),
    -- Whose doing it was; empty for the run as a whole.
    AgentId String CODEC(ZSTD(1)),
    -- Up to that moment.
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
    -- JSON: agents, running tools, todos, messages, transcripts, files; see the README.
    Content String CODEC(ZSTD(3)),
    StateKind LowCardinality(String) CODEC(ZSTD(1)),
    StateHash String CODEC(ZSTD(1)),
    StateBytes UInt64 CODEC(ZSTD(1)),
    StateChunks Array(String) CODEC(ZSTD(1)),
    -- Whether the run still went on when the row was written.
    RunOpen UInt8 CODEC(ZSTD(1)),
    TakenAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX idx_snapshot SnapshotId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId, SnapshotId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;
