-- What of a run has begun and not ended, the latest first.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: kind ('tool', 'agent'), name, agent, id, span_id String, start_ns Int64
SELECT
    kind,
    name,
    agents.Name AS agent,
    id,
    span_id,
    start_ns
FROM (
    SELECT 'tool' AS kind, toString(Tool) AS name, AgentId AS agent_id, ToolCallId AS id, SpanId AS span_id, toUnixTimestamp64Nano(StartTime) AS start_ns
    FROM tool_calls WHERE DurationMs IS NULL AND Success IS NULL AND @rows@
    UNION ALL
    SELECT 'agent' AS kind, multiIf(Name != '', Name, Type != '', toString(Type), '?') AS name, AgentId AS agent_id, AgentId AS id, SpanId AS span_id, toUnixTimestamp64Nano(StartTime) AS start_ns
    FROM agents WHERE Status = 'running' AND @rows@
) AS open
LEFT JOIN (SELECT AgentId, any(Name) AS Name FROM agents WHERE @rows@ GROUP BY AgentId) AS agents
    ON agents.AgentId = open.agent_id
ORDER BY start_ns DESC, id
LIMIT 50
