-- What became of agents' tasks: how good the result was, by whose word, and what it cost.
-- Derived like analyses, idempotently; one row per agent of which somebody says anything.

CREATE TABLE IF NOT EXISTS @database@.stored_outcomes @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    AgentId String CODEC(ZSTD(1)),
    SessionId String CODEC(ZSTD(1)),
    -- When the agent ended.
    At DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    -- What is alike: the program, the agent's type or name, its tools, what it worked on.
    Workload LowCardinality(String) CODEC(ZSTD(1)),
    Role LowCardinality(String) CODEC(ZSTD(1)),
    Tools LowCardinality(String) CODEC(ZSTD(1)),
    Repository LowCardinality(String) CODEC(ZSTD(1)),
    TaskKind LowCardinality(String) CODEC(ZSTD(1)),
    Model LowCardinality(String) CODEC(ZSTD(1)),
    -- 0 to 1.
    Quality Float64 CODEC(ZSTD(1)),
    -- Who says so: what the program named, a kind of validation, 'tests', or 'status' for
    -- the mere end of the agent, with or without an error.
    Verifier LowCardinality(String) CODEC(ZSTD(1)),
    CostUsd Nullable(Float64) CODEC(ZSTD(1)),
    Seconds Nullable(Float64) CODEC(ZSTD(1)),
    Tokens Nullable(Int64) CODEC(ZSTD(1)),
    -- Where the model was chosen here: what was asked for, with which probability the one
    -- that was taken came up, and whether it was put in place (0 in a dry run).
    Asked LowCardinality(String) CODEC(ZSTD(1)),
    Chosen LowCardinality(String) CODEC(ZSTD(1)),
    Propensity Nullable(Float64) CODEC(ZSTD(1)),
    -- The probability of each model that there was to choose from.
    Chances Map(LowCardinality(String), Float64) CODEC(ZSTD(1)),
    Applied Nullable(UInt8) CODEC(ZSTD(1)),
    Bucket DateTime CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
PARTITION BY toYYYYMM(Bucket)
ORDER BY (Tenant, Bucket, RunId, AgentId)
TTL toDateTime(least(toUInt64(Bucket) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;
