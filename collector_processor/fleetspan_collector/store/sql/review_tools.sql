-- What the tool calls of a phase came to, by run, agent's name and tool.
--
-- A tool that waits for a sub-agent takes as long as what it waits for, so its time is
-- not its own, and is left out; so is what a call waited for permission.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: run_id, agent, tool String, calls, timed (of known length), failures,
--          answered (of known outcome) UInt64, seconds Float64 (of the timed)
SELECT
    calls.RunId AS run_id,
    multiIf(agents.Name != '', agents.Name, agents.Type != '', toString(agents.Type), '?') AS agent,
    if(calls.Tool = '', '?', toString(calls.Tool)) AS tool,
    count() AS calls,
    countIf(own_ms >= 0) AS timed,
    countIf(calls.Success = 0) AS failures,
    countIf(calls.Success IS NOT NULL) AS answered,
    ifNull(sumIf(own_ms, own_ms >= 0), 0) / 1e3 AS seconds
FROM (
    SELECT *, if(ToolCallId IN (
            SELECT SpawnToolCallId FROM agents
            WHERE @rows@ AND SpawnToolCallId IS NOT NULL),
        NULL, if(DurationMs IS NULL, NULL, greatest(DurationMs - ifNull(PermissionWaitMs, 0), 0))) AS own_ms
    FROM tool_calls
    WHERE @rows@) AS calls
LEFT JOIN (
    SELECT Tenant, RunId, AgentId, Name, Type FROM agents
    WHERE @rows@) AS agents
    ON agents.Tenant = calls.Tenant AND agents.RunId = calls.RunId AND agents.AgentId = calls.AgentId
GROUP BY run_id, agent, tool
ORDER BY run_id, agent, tool
