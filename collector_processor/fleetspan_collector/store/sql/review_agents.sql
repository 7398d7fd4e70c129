-- What the agents of a phase came to, by run and name.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: run_id, name String, agents, timed (of known length), failures UInt64,
--          seconds Float64 (wall, of the timed), path_s Nullable(Float64) (of the run's
--          critical path)
SELECT
    agents.RunId AS run_id,
    multiIf(agents.Name != '', agents.Name, agents.Type != '', toString(agents.Type), '?') AS name,
    count() AS agents,
    countIf(agents.EndTime >= agents.StartTime) AS timed,
    countIf(agents.Status = 'error') AS failures,
    sumIf(ifNull(toUnixTimestamp64Nano(agents.EndTime) - toUnixTimestamp64Nano(agents.StartTime), 0) / 1e9, agents.EndTime >= agents.StartTime) AS seconds,
    sum(rollups.PathSeconds) AS path_s
FROM (
    SELECT * FROM agents
    WHERE @rows@) AS agents
LEFT JOIN (SELECT Tenant, RunId, AgentId, PathSeconds FROM agent_rollups WHERE @rows@) AS rollups
    ON rollups.Tenant = agents.Tenant AND rollups.RunId = agents.RunId AND rollups.AgentId = agents.AgentId
GROUP BY run_id, name
ORDER BY run_id, name
