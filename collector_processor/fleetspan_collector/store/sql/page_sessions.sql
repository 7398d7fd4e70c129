-- A part of the list of sessions, the latest active first.
-- params:  since Int64 (Unix nanoseconds, 0 for all), q, user, project, service String
--          ('' for any), has_after UInt8, after_ns Int64, after_id String, limit UInt32
-- returns: the columns of a session of the API
SELECT
    SessionId AS session_id,
    count() AS runs,
    sum(Agents) AS agents,
    sum(LlmCalls) AS llm_calls,
    sum(ToolCalls) AS tool_calls,
    sum(Errors) AS errors,
    sum(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens) AS tokens,
    sum(CostUsd) AS cost_usd,
    sum(UnpricedCalls) AS unpriced_calls,
    toUnixTimestamp64Nano(min(StartTime)) AS start_ns,
    toUnixTimestamp64Nano(max(LastActivity)) AS activity_ns,
    countIf(Status = 'running') AS running,
    any(User) AS user,
    toString(any(Project)) AS project,
    toString(any(Service)) AS service
FROM @database@.runs
WHERE SessionId != ''
    AND ({since:Int64} = 0 OR LastActivity >= fromUnixTimestamp64Nano({since:Int64}))
    AND ({user:String} = '' OR User = {user:String})
    AND ({project:String} = '' OR Project = {project:String})
    AND ({service:String} = '' OR Service = {service:String})
    AND ({q:String} = '' OR startsWith(SessionId, {q:String}) OR positionCaseInsensitiveUTF8(Name, {q:String}) > 0)
GROUP BY Tenant, SessionId
HAVING {has_after:UInt8} = 0 OR (activity_ns, session_id) < ({after_ns:Int64}, {after_id:String})
ORDER BY activity_ns DESC, session_id DESC
LIMIT {limit:UInt32}
