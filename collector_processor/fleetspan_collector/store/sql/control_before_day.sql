-- What sessions that went on past a midnight had used before it.
-- tokens:  database
-- params:  sessions Array(String), day UInt64 (Unix seconds of the midnight)
-- returns: Tenant, SessionId, Tokens, Usd (of what has a price), Calls (of tools), SubAgents
WITH of_sessions AS (
    SELECT Tenant, RunId, any(SessionId) AS Session, min(Bucket) AS FirstBucket
    FROM @database@.runs
    WHERE SessionId IN {sessions:Array(String)} AND Bucket <= toDateTime({day:UInt64})
    GROUP BY Tenant, RunId
)
SELECT
    toString(Tenant) AS Tenant,
    Session AS SessionId,
    toUInt64(sum(Tokens)) AS Tokens,
    toFloat64(sum(Usd)) AS Usd,
    toUInt64(sum(Calls)) AS Calls,
    toUInt64(sum(SubAgents)) AS SubAgents
FROM
(
    SELECT Tenant, RunId, ifNull(InputTokens, 0) + ifNull(CacheReadTokens, 0) + ifNull(CacheWriteTokens, 0) + ifNull(OutputTokens, 0) AS Tokens,
        ifNull(CostUsd, 0) AS Usd, 0 AS Calls, 0 AS SubAgents
    FROM @database@.llm_calls
    WHERE StartTime < toDateTime64({day:UInt64}, 9) AND Bucket >= (SELECT min(FirstBucket) FROM of_sessions)
        AND RunId IN (SELECT RunId FROM of_sessions)
    UNION ALL
    SELECT Tenant, RunId, 0, 0, 1, 0
    FROM @database@.tool_calls
    WHERE StartTime < toDateTime64({day:UInt64}, 9) AND Bucket >= (SELECT min(FirstBucket) FROM of_sessions)
        AND RunId IN (SELECT RunId FROM of_sessions)
    UNION ALL
    SELECT Tenant, RunId, 0, 0, 0, ParentAgentId IS NOT NULL AND ParentAgentId != ''
    FROM @database@.agents
    WHERE StartTime < toDateTime64({day:UInt64}, 9) AND Bucket >= (SELECT min(FirstBucket) FROM of_sessions)
        AND RunId IN (SELECT RunId FROM of_sessions)
) AS used
INNER JOIN of_sessions USING (Tenant, RunId)
GROUP BY Tenant, SessionId
