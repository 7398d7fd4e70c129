-- The agents of a run, the ones with most of the critical path first.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: agent_id, name, span_id String, path_s, slack_s, wall_s Nullable(Float64)
SELECT
    rollups.AgentId AS agent_id,
    multiIf(rollups.Name != '', rollups.Name, rollups.Type != '', toString(rollups.Type), '?') AS name,
    agents.SpanId AS span_id,
    rollups.PathSeconds AS path_s,
    rollups.SlackSeconds AS slack_s,
    rollups.WallSeconds AS wall_s
FROM (SELECT * FROM agent_rollups WHERE @rows@) AS rollups
LEFT JOIN (SELECT AgentId, any(SpanId) AS SpanId FROM agents WHERE @rows@ GROUP BY AgentId) AS agents
    ON agents.AgentId = rollups.AgentId
ORDER BY path_s DESC NULLS LAST, agent_id
LIMIT 20
