-- Who was told of what. Rows are added, never changed; they are kept as long as what they
-- tell of, so that nobody is told of it a second time.

-- One row per attempt to tell one destination of one thing; for OTLP, which sends many
-- together, one row for a whole attempt that failed.
CREATE TABLE IF NOT EXISTS @database@.stored_deliveries @on_cluster@
(
    -- Name of the hook; 'otlp' for what leaves as OTLP.
    Destination LowCardinality(String) CODEC(ZSTD(1)),
    Kind Enum8('finding' = 0, 'run' = 1, 'batch' = 2) CODEC(ZSTD(1)),
    -- FindingId or RunId; empty for a batch.
    Subject String CODEC(ZSTD(1)),
    -- How far it was told: the number of a finding's severity, the version of a run's row.
    Level UInt64 CODEC(ZSTD(1)),
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    RunId String CODEC(ZSTD(1)),
    Detector LowCardinality(String) CODEC(ZSTD(1)),
    -- What the receiver may recognise a repetition by: the same in every attempt.
    DeliveryId String CODEC(ZSTD(1)),
    Attempt UInt16 CODEC(ZSTD(1)),
    -- Findings, or run summaries, in the attempt.
    Items UInt32 CODEC(ZSTD(1)),
    At DateTime64(3) CODEC(Delta(8), ZSTD(1)),
    -- delivered, retry (is tried again), interrupted (by a stop; is tried again), refused
    -- (not wanted), gave_up (after all attempts), expired (too old by now).
    Outcome LowCardinality(String) CODEC(ZSTD(1)),
    -- Status of an HTTP answer, exit code of a command (negative: the signal that ended it).
    Code Nullable(Int32) CODEC(ZSTD(1)),
    DurationMs Float64 CODEC(ZSTD(1)),
    -- The beginning of the answer, or what went wrong.
    Answer String CODEC(ZSTD(1))
)
ENGINE = @replicated@MergeTree
PARTITION BY toYYYYMM(At)
ORDER BY (Destination, Kind, Subject, At)
TTL toDateTime(least(toUInt64(toDateTime(At)) + 86400 * @runs_days@, 4294967295))
SETTINGS ttl_only_drop_parts = 1, fsync_after_insert = 1, fsync_part_directory = 1;

-- Since when a destination is to be told: not of what was found before it was set up.
CREATE TABLE IF NOT EXISTS @database@.destinations @on_cluster@
(
    Destination String CODEC(ZSTD(1)),
    Since DateTime64(3) CODEC(ZSTD(1))
)
ENGINE = @replicated@MergeTree
ORDER BY Destination
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
