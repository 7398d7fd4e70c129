-- The newest version among the canonical rows of some hours, and that of their baselines.
-- tokens:  database, hours (tuples of tenant and hour), first, last (hours that bound
--          them, Unix seconds)
-- returns: Tenant String, Hour DateTime, SeenVersion UInt64, Made UInt64 (0: never)
SELECT
    Tenant,
    Hour,
    max(Newest) AS SeenVersion,
    max(MadeFrom) AS Made
FROM
(
    SELECT Tenant, Bucket AS Hour, Version AS Newest, toUInt64(0) AS MadeFrom
    FROM @database@.canonical_runs
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@)
    UNION ALL
    SELECT Tenant, Bucket, Version, 0
    FROM @database@.canonical_agents
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@)
    UNION ALL
    SELECT Tenant, Bucket, Version, 0
    FROM @database@.canonical_llm_calls
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@)
    UNION ALL
    SELECT Tenant, Bucket, Version, 0
    FROM @database@.canonical_tool_calls
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@)
    UNION ALL
    SELECT Tenant, Bucket, Version, 0
    FROM @database@.stored_agent_rollups
    WHERE (Tenant, Bucket) IN (@hours@) AND Bucket BETWEEN toDateTime(@first@) AND toDateTime(@last@)
    UNION ALL
    SELECT Tenant, Hour, 0, Version
    FROM @database@.baseline_hours
    WHERE (Tenant, Hour) IN (@hours@)
)
GROUP BY Tenant, Hour
