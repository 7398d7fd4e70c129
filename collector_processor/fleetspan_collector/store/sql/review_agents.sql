-- What the agents of a phase came to, by run and name.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: run_id, name String, agents, timed (of known length), failures UInt64,
--          seconds Float64 (wall, of the timed), path_s Nullable(Float64), agent_id
--          String (the longest)
SELECT
    agents.RunId AS run_id,
    multiIf(agents.Name != '', agents.Name, agents.Type != '', toString(agents.Type), '?') AS name,
    count() AS agents,
    countIf(EndTime IS NOT NULL) AS timed,
    countIf(agents.Status = 'error') AS failures,
    sum(greatest(0, toUnixTimestamp64Nano(EndTime) - toUnixTimestamp64Nano(agents.StartTime)) / 1e9) AS seconds,
    sum(rollups.PathSeconds) AS path_s,
    argMax(agents.AgentId, ifNull(EndTime, agents.StartTime) - agents.StartTime) AS agent_id
FROM (
    SELECT * FROM agents
    WHERE @rows@) AS agents
LEFT JOIN (SELECT Tenant, RunId, AgentId, PathSeconds FROM agent_rollups WHERE @rows@) AS rollups
    ON rollups.Tenant = agents.Tenant AND rollups.RunId = agents.RunId AND rollups.AgentId = agents.AgentId
GROUP BY run_id, name
ORDER BY run_id, name
