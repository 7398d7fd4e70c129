-- What sessions have used in all, of runs that went on since a time.
-- tokens:  database
-- params:  since UInt64 (Unix seconds)
-- returns: Tenant, SessionId, User, Began, Active (Unix nanoseconds), Tokens, Usd (of what has a
--          price), Calls (of tools), SubAgents
SELECT
    toString(Tenant) AS Tenant,
    SessionId,
    any(User) AS User,
    toUnixTimestamp64Nano(min(StartTime)) AS Began,
    toUnixTimestamp64Nano(max(LastActivity)) AS Active,
    toUInt64(sum(ifNull(InputTokens, 0) + ifNull(CacheReadTokens, 0) + ifNull(CacheWriteTokens, 0) + ifNull(OutputTokens, 0))) AS Tokens,
    toFloat64(sum(ifNull(CostUsd, 0))) AS Usd,
    toUInt64(sum(ToolCalls)) AS Calls,
    toUInt64(sum(greatest(Agents, 1) - 1)) AS SubAgents
FROM @database@.runs
WHERE Bucket >= toDateTime({since:UInt64}) - toIntervalDay(2)
    AND LastActivity >= toDateTime({since:UInt64}) AND SessionId != ''
GROUP BY Tenant, SessionId
