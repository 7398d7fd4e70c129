-- Hours whose canonical rows are others than those that their baselines are made from,
-- the latest first.
-- tokens:  database
-- params:  since, before Int64 (Unix seconds: hours from then on, and before), most UInt64
-- returns: tenant String, hour Int64 (Unix seconds)
SELECT
    toString(Tenant) AS tenant,
    toInt64(toUnixTimestamp(Hour)) AS hour
FROM
(
    SELECT Tenant, Bucket AS Hour, max(Version) AS Newest
    FROM @database@.canonical_runs
    WHERE Bucket >= toDateTime({since:Int64}) AND Bucket < toDateTime({before:Int64})
    GROUP BY Tenant, Hour
    UNION ALL
    SELECT Tenant, Bucket AS Hour, max(Version) AS Newest
    FROM @database@.canonical_agents
    WHERE Bucket >= toDateTime({since:Int64}) AND Bucket < toDateTime({before:Int64})
    GROUP BY Tenant, Hour
    UNION ALL
    SELECT Tenant, Bucket AS Hour, max(Version) AS Newest
    FROM @database@.canonical_llm_calls
    WHERE Bucket >= toDateTime({since:Int64}) AND Bucket < toDateTime({before:Int64})
    GROUP BY Tenant, Hour
    UNION ALL
    SELECT Tenant, Bucket AS Hour, max(Version) AS Newest
    FROM @database@.canonical_tool_calls
    WHERE Bucket >= toDateTime({since:Int64}) AND Bucket < toDateTime({before:Int64})
    GROUP BY Tenant, Hour
    UNION ALL
    SELECT Tenant, Bucket AS Hour, max(Version) AS Newest
    FROM @database@.stored_agent_rollups
    WHERE Bucket >= toDateTime({since:Int64}) AND Bucket < toDateTime({before:Int64})
    GROUP BY Tenant, Hour
)
GROUP BY Tenant, Hour
HAVING (Tenant, Hour, max(Newest)) NOT IN
(
    SELECT Tenant, Hour, SeenVersion FROM @database@.baseline_hours FINAL
)
ORDER BY hour DESC, tenant
LIMIT {most:UInt64}
