-- Claude Code's own feeds (hooks and transcripts), and what joining every feed needs.

CREATE TABLE IF NOT EXISTS @database@.claude_hooks @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    Event LowCardinality(String) CODEC(ZSTD(1)),
    -- When the hook fired: the sender's stamp, else when it was received.
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
    -- The hook's JSON, whole.
    Body String CODEC(ZSTD(3)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1))
)
ENGINE = @replicated@MergeTree
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, SessionId, EventTime)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * @traces_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;

-- Lines of transcripts. A line is known by its place in its file, so that reading a file
-- again changes nothing; kept by the day of reading, as old transcripts are read too.
CREATE TABLE IF NOT EXISTS @database@.claude_transcript_lines @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    -- The session whose file it stands in.
    FileSessionId String CODEC(ZSTD(1)),
    Path String CODEC(ZSTD(1)),
    Offset UInt64 CODEC(Delta(8), ZSTD(1)),
    -- The session that the line belongs to: the one that made the request, for lines
    -- that a fork copied.
    SessionId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    Type LowCardinality(String) CODEC(ZSTD(1)),
    Uuid String CODEC(ZSTD(1)),
    ParentUuid String CODEC(ZSTD(1)),
    -- The line's own, 1970 where it has none.
    Timestamp DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    Version LowCardinality(String) CODEC(ZSTD(1)),
    -- The line, whole.
    Body String CODEC(ZSTD(3)),
    BatchId LowCardinality(String) CODEC(ZSTD(1)),
    BatchOrdinal UInt32 CODEC(ZSTD(1)),
    ReceivedAt DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    INDEX idx_uuid Uuid TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = @replicated@ReplacingMergeTree
PARTITION BY toDate(ReceivedAt)
ORDER BY (Tenant, FileSessionId, Path, Offset)
TTL toDateTime(least(intDiv(toUnixTimestamp64Nano(ReceivedAt), 1000000000) + 86400 * @traces_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, index_granularity = 1024, fsync_after_insert = 1, fsync_part_directory = 1;

-- A group is a session for Claude Code, so the span's own ids need columns of their own.
ALTER TABLE @database@.evidence @on_cluster@
    ADD COLUMN IF NOT EXISTS TraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS SpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS RequestId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ServiceTier LowCardinality(String) CODEC(ZSTD(1)),
    -- Searches that the provider made during a call, which have a price of their own.
    ADD COLUMN IF NOT EXISTS WebSearches Nullable(Int64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ClientVersion LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS TimeSource LowCardinality(String) CODEC(ZSTD(1));

ALTER TABLE @database@.canonical_runs @on_cluster@
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ClientVersion LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS Sources Array(LowCardinality(String)) CODEC(ZSTD(1)),
    -- What the client says the session has cost beyond the calls that are known.
    ADD COLUMN IF NOT EXISTS UnattributedUsd Nullable(Float64) CODEC(ZSTD(1));

ALTER TABLE @database@.canonical_agents @on_cluster@
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelSpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS TimeSource LowCardinality(String) CODEC(ZSTD(1));

ALTER TABLE @database@.canonical_llm_calls @on_cluster@
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelSpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS RequestId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS ServiceTier LowCardinality(String) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS WebSearches Nullable(Int64) CODEC(ZSTD(1));

ALTER TABLE @database@.canonical_tool_calls @on_cluster@
    ADD COLUMN IF NOT EXISTS OtelTraceId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS OtelSpanId String CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS TimeSource LowCardinality(String) CODEC(ZSTD(1));
