-- Make the baselines of some hours anew: what was there goes, what there is now comes.
--
-- Only what has ended, and has not failed: a failure is over sooner, or after a time-out.
-- A tool's seconds are without what it waited for permission. An agent's dollars are
-- those of its own calls, from the rollups under the hour of its run.
-- tokens:  database, hours (tuples of tenant and hour), first, last (hours that bound
--          them, Unix seconds)
-- params:  version UInt64 (of the new rows; what goes has the number below)
-- returns: nothing
INSERT INTO @database@.stored_baselines
SELECT * REPLACE ({version:UInt64} - 1 AS Version, 1 AS IsDeleted)
FROM @database@.stored_baselines FINAL
WHERE (Tenant, Hour) IN (@hours@)
UNION ALL
SELECT
    Tenant,
    Bucket AS Hour,
    Kind,
    Subject,
    Measure,
    quantilesTDigestState(0.5, 0.9, 0.95, 0.99)(assumeNotNull(Value)) AS Quantiles,
    count() AS Samples,
    uniqCombinedState(12)(RunId) AS Runs,
    {version:UInt64} AS Version,
    0 AS IsDeleted
FROM
(
    SELECT Tenant, Bucket, RunId, 'run' AS Kind, Name AS Subject, measured.1 AS Measure, measured.2 AS Value
    FROM @database@.canonical_runs FINAL
    ARRAY JOIN [('seconds', (toUnixTimestamp64Nano(EndTime) - toUnixTimestamp64Nano(StartTime)) / 1e9), ('usd', CostUsd)] AS measured
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@) AND Status = 'ok' AND EndTime IS NOT NULL
    UNION ALL
    SELECT Tenant, Bucket, RunId, 'agent', if(Name = '', Type, Name), 'seconds', (toUnixTimestamp64Nano(EndTime) - toUnixTimestamp64Nano(StartTime)) / 1e9
    FROM @database@.canonical_agents FINAL
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@) AND Status = 'ok' AND EndTime IS NOT NULL
    UNION ALL
    SELECT Tenant, Bucket, RunId, 'agent', if(Name = '', Type, Name), 'usd', CostUsd
    FROM @database@.stored_agent_rollups FINAL
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@) AND Status = 'ok'
    UNION ALL
    SELECT Tenant, Bucket, RunId, 'tool', Tool, 'seconds', greatest(DurationMs - ifNull(PermissionWaitMs, 0), 0) / 1000
    FROM @database@.canonical_tool_calls FINAL
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@) AND DurationMs IS NOT NULL AND ifNull(Success, 1) = 1 AND Error = ''
    UNION ALL
    SELECT Tenant, Bucket, RunId, 'model', Model, measured.1, measured.2
    FROM @database@.canonical_llm_calls FINAL
    ARRAY JOIN [('seconds', DurationMs / 1000), ('usd', CostUsd)] AS measured
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@) AND Error = ''
)
WHERE Subject != '' AND isFinite(Value) AND Value >= 0
GROUP BY Tenant, Bucket, Kind, Subject, Measure
SETTINGS do_not_merge_across_partitions_select_final = 1
