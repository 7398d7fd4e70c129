-- What agents are called.
-- tokens:  since (Unix nanoseconds)
-- returns: run_id, agent_id, name, type String
SELECT
    RunId AS run_id,
    AgentId AS agent_id,
    any(Name) AS name,
    any(toString(Type)) AS type
FROM agents
WHERE LastActivity >= fromUnixTimestamp64Nano(@since@)
GROUP BY run_id, agent_id
