-- Agents at work now, the latest active first.
--
-- Who is at work has a row that says so, read without merging: only for these few the
-- newest version is looked up.
--
-- params:  limit UInt32
-- returns: run_id, group_key, session_id, agent_id, name, type, model, parent, start_ns,
--          activity_ns, bucket, total
WITH candidates AS (
    SELECT DISTINCT Bucket, TraceId, AgentId
    FROM @database@.canonical_agents
    WHERE Status = 'running' AND Bucket >= now() - INTERVAL 7 DAY
)
SELECT
    RunId AS run_id,
    GroupKey AS group_key,
    SessionId AS session_id,
    AgentId AS agent_id,
    Name AS name,
    toString(Type) AS type,
    toString(Model) AS model,
    ParentAgentId AS parent,
    toUnixTimestamp64Nano(StartTime) AS start_ns,
    toUnixTimestamp64Nano(LastActivity) AS activity_ns,
    toUnixTimestamp(Bucket) AS bucket,
    count() OVER () AS total
FROM @database@.agents
WHERE Status = 'running'
    AND (Bucket, GroupKey, AgentId) IN (SELECT Bucket, TraceId, AgentId FROM candidates)
    AND Bucket IN (SELECT Bucket FROM candidates)
ORDER BY activity_ns DESC, agent_id
LIMIT {limit:UInt32}
