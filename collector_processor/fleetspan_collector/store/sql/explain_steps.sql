-- The steps of a run with most of its critical path.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: kind ('model', 'tool'), name, agent, step_id, span_id String, path_s Float64
WITH
    parts AS (
        SELECT segment.1 AS category, segment.2 AS key, sum(segment.3) AS path_s
        FROM run_analyses
        ARRAY JOIN arrayZip(
            PathCategory, PathKey,
            arrayMap((first, last) -> (toUnixTimestamp64Nano(last) - toUnixTimestamp64Nano(first)) / 1e9, PathStart, PathEnd)) AS segment
        WHERE @rows@ AND segment.2 != ''
        GROUP BY category, key
    ),
    steps AS (
        SELECT 'model' AS kind, CallId AS step_id, toString(Model) AS name, AgentId, SpanId FROM llm_calls WHERE @rows@
        UNION ALL
        SELECT 'tool' AS kind, ToolCallId AS step_id, toString(Tool) AS name, AgentId, SpanId FROM tool_calls WHERE @rows@
    )
SELECT
    steps.kind AS kind,
    steps.name AS name,
    agents.Name AS agent,
    steps.step_id AS step_id,
    steps.SpanId AS span_id,
    parts.path_s AS path_s
FROM parts
INNER JOIN steps ON steps.step_id = parts.key AND (steps.kind = parts.category OR parts.category NOT IN ('model', 'tool'))
LEFT JOIN (SELECT AgentId, any(Name) AS Name FROM agents WHERE @rows@ GROUP BY AgentId) AS agents
    ON agents.AgentId = steps.AgentId
ORDER BY path_s DESC, step_id
LIMIT 5
