-- The longest model call or tool call of one `fleetspan run`: one row, or none.
-- tokens:  database, invocation (its id, quoted), since (when it began, UTC)
-- returns: kind ('call', 'tool'), name, duration_ms, agent (its name, empty if unknown)
--
-- A tool that waits for a sub-agent takes as long as what it waits for: such a tool does
-- not count.
WITH
@invocation_parts@,
    agents_here AS (
        SELECT RunId, AgentId, Name, SpawnToolCallId FROM @database@.agents
        WHERE LastActivity >= since AND (TraceId IN traces OR SessionId IN sessions))
SELECT kind, step AS name, duration_ms, agents_here.Name AS agent
FROM (
    SELECT 'call' AS kind, Model AS step, DurationMs AS duration_ms, RunId, AgentId
    FROM @database@.llm_calls
    WHERE StartTime >= since AND DurationMs > 0 AND (TraceId IN traces OR SessionId IN sessions)
    UNION ALL
    SELECT 'tool' AS kind, Tool AS step, DurationMs AS duration_ms, RunId, AgentId
    FROM @database@.tool_calls
    WHERE StartTime >= since AND DurationMs > 0 AND (TraceId IN traces OR SessionId IN sessions)
        AND ToolCallId NOT IN (SELECT SpawnToolCallId FROM agents_here WHERE SpawnToolCallId IS NOT NULL)
) AS steps
LEFT JOIN agents_here ON agents_here.RunId = steps.RunId AND agents_here.AgentId = steps.AgentId
ORDER BY duration_ms DESC, step
LIMIT 1
