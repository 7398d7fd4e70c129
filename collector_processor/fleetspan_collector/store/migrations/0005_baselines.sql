-- How long, and how dear, ended things have been: t-digest states by hour and subject,
-- made from the canonical rows of that hour, and made anew whenever these change.

CREATE TABLE IF NOT EXISTS @database@.stored_baselines @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Hour DateTime CODEC(ZSTD(1)),
    Kind Enum8('run' = 0, 'agent' = 1, 'tool' = 2, 'model' = 3) CODEC(ZSTD(1)),
    -- Name of the run, agent or tool, or of the model.
    Subject String CODEC(ZSTD(1)),
    Measure Enum8('seconds' = 0, 'usd' = 1) CODEC(ZSTD(1)),
    Quantiles AggregateFunction(quantilesTDigest(0.5, 0.9, 0.95, 0.99), Float64) CODEC(ZSTD(1)),
    Samples UInt64 CODEC(ZSTD(1)),
    Runs AggregateFunction(uniqCombined(12), String) CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1)),
    IsDeleted UInt8 CODEC(ZSTD(1))
)
ENGINE = @replicated@ReplacingMergeTree(Version, IsDeleted)
-- By year: whatever clocks say, that is no more than 137 partitions.
PARTITION BY toYear(Hour)
ORDER BY (Tenant, Hour, Kind, Subject, Measure)
TTL toDateTime(least(toUInt64(Hour) + 86400 * @runs_days@, 4294967295))
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;

-- Which state of the canonical rows of an hour its baselines are made from.
CREATE TABLE IF NOT EXISTS @database@.baseline_hours @on_cluster@
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Hour DateTime CODEC(ZSTD(1)),
    -- The newest version among the rows.
    SeenVersion UInt64 CODEC(ZSTD(1)),
    Version UInt64 CODEC(ZSTD(1))
)
ENGINE = @replicated@ReplacingMergeTree(Version)
PARTITION BY toYear(Hour)
ORDER BY (Tenant, Hour)
TTL toDateTime(least(toUInt64(Hour) + 86400 * @runs_days@, 4294967295))
SETTINGS fsync_after_insert = 1, fsync_part_directory = 1;
