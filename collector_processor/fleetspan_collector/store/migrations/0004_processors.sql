-- What processors say of runs: derived from the canonical rows, idempotently. A run is
-- analysed again whenever anything of it changes, and its rows are replaced.
--
-- All three are keyed like the runs that they are about: by the hour under which the run
-- is stored (Bucket), which never changes.

CREATE TABLE IF NOT EXISTS @database@.stored_findings @on_cluster@
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
    -- When it began, in the run's own time.
    At DateTime64(9) CODEC(Delta(8), ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    AgentName String CODEC(ZSTD(1)),
    What String CODEC(ZSTD(1)),
    Advice String CODEC(ZSTD(1)),
    -- What following the advice saves: 0 where it saves none, NULL where that is not known.
    Seconds Nullable(Float64) CODEC(ZSTD(1)),
    Usd Nullable(Float64) CODEC(ZSTD(1)),
    -- The evidence: spans where spans tell of it, and every agent, call and tool call.
    SpanIds Array(String) CODEC(ZSTD(1)),
    AgentIds Array(String) CODEC(ZSTD(1)),
    CallIds Array(String) CODEC(ZSTD(1)),
    ToolCallIds Array(String) CODEC(ZSTD(1)),
    -- JSON: the numbers and words behind the sentence.
    Details String CODEC(ZSTD(1)),
    -- Of all that was said: the same when nothing new is.
    ContentHash UInt64 CODEC(ZSTD(1)),
    -- Whether the run still went on when it was found.
    RunOpen UInt8 CODEC(ZSTD(1)),
    -- When it was said first.
    FoundAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    ProcessorsVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId, FindingId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per run: where its time went, how complex it was, what could be saved.
CREATE TABLE IF NOT EXISTS @database@.stored_analyses @on_cluster@
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
    -- The time ledger of the critical path, in seconds; the parts add up to WallSeconds.
    WallSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ModelSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ToolSeconds Nullable(Float64) CODEC(ZSTD(1)),
    PermissionSeconds Nullable(Float64) CODEC(ZSTD(1)),
    QueueSeconds Nullable(Float64) CODEC(ZSTD(1)),
    BackoffSeconds Nullable(Float64) CODEC(ZSTD(1)),
    SubagentSeconds Nullable(Float64) CODEC(ZSTD(1)),
    GapSeconds Nullable(Float64) CODEC(ZSTD(1)),
    -- Seconds of work of all agents together, whatever ran side by side.
    BusySeconds Nullable(Float64) CODEC(ZSTD(1)),
    -- The critical path: segments in order, without gap or overlap.
    PathStart Array(DateTime64(9)) CODEC(ZSTD(1)),
    PathEnd Array(DateTime64(9)) CODEC(ZSTD(1)),
    PathCategory Array(LowCardinality(String)) CODEC(ZSTD(1)),
    PathAgentId Array(String) CODEC(ZSTD(1)),
    -- CallId or ToolCallId of what was done; empty for gaps.
    PathKey Array(String) CODEC(ZSTD(1)),
    -- Complexity of the task before it ran, 0 to 10, and the factors that it adds up from.
    TaskKind LowCardinality(String) CODEC(ZSTD(1)),
    Complexity Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityContext Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityKind Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityFiles Nullable(Float64) CODEC(ZSTD(1)),
    ComplexityFailures Nullable(Float64) CODEC(ZSTD(1)),
    -- What the run turned out to take, 0 to 10; NULL while it goes on.
    Effort Nullable(Float64) CODEC(ZSTD(1)),
    FilesTouched UInt32 CODEC(ZSTD(1)),
    -- What all findings together would save: no second and no dollar twice.
    SavedSeconds Nullable(Float64) CODEC(ZSTD(1)),
    SavedUsd Nullable(Float64) CODEC(ZSTD(1)),
    -- Processors that failed or hung on this run.
    SetAside Array(String) CODEC(ZSTD(1)),
    RunOpen UInt8 CODEC(ZSTD(1)),
    -- Version of the run's row that was analysed: the run is dirty when its row has another.
    RunVersion UInt64 CODEC(ZSTD(1)),
    AnalysedAt DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    ProcessorsVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

-- One row per agent of an analysed run: what it did itself, what its sub-tree did, and
-- where its own time went.
CREATE TABLE IF NOT EXISTS @database@.stored_agent_rollups @on_cluster@
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
    -- All four kinds of tokens together.
    Tokens Nullable(Int64) CODEC(ZSTD(1)),
    TreeTokens Nullable(Int64) CODEC(ZSTD(1)),
    CostUsd Nullable(Float64) CODEC(ZSTD(1)),
    TreeCostUsd Nullable(Float64) CODEC(ZSTD(1)),
    -- The ledger of the agent's own time, in seconds; the parts add up to WallSeconds.
    WallSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ModelSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ToolSeconds Nullable(Float64) CODEC(ZSTD(1)),
    PermissionSeconds Nullable(Float64) CODEC(ZSTD(1)),
    QueueSeconds Nullable(Float64) CODEC(ZSTD(1)),
    BackoffSeconds Nullable(Float64) CODEC(ZSTD(1)),
    SubagentSeconds Nullable(Float64) CODEC(ZSTD(1)),
    GapSeconds Nullable(Float64) CODEC(ZSTD(1)),
    -- Seconds of the run's critical path that are this agent's own.
    PathSeconds Nullable(Float64) CODEC(ZSTD(1)),
    -- By how much it may end later without the run ending later.
    SlackSeconds Nullable(Float64) CODEC(ZSTD(1)),
    ProcessorsVersion UInt16 CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1)),
    INDEX idx_run RunId TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toDate(Bucket)
ORDER BY (Tenant, Bucket, RunId, AgentId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

-- Collectors that analyse runs of this store; they share the runs by hash, without a leader.
CREATE TABLE IF NOT EXISTS @database@.collectors @on_cluster@
(
    CollectorId String CODEC(ZSTD(1)),
    SeenAt DateTime64(3) CODEC(ZSTD(1))
)
ENGINE = @replicated@ReplacingMergeTree(SeenAt)
ORDER BY CollectorId
TTL toDateTime(SeenAt) + INTERVAL 1 DAY;
