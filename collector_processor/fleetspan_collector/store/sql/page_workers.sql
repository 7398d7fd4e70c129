-- Agents at work now, the latest active first, with what they have open.
-- params:  limit UInt32
-- returns: the columns of a worker of the API, and total
WITH
    at_work AS (
        SELECT * FROM @database@.agents
        WHERE Status = 'running' AND Bucket >= now() - INTERVAL 7 DAY
    ),
    calls AS (
        SELECT RunId, AgentId, count() AS llm_calls, sum(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens) AS tokens, sum(CostUsd) AS cost_usd, argMax(toString(Model), StartTime) AS last_model
        FROM @database@.llm_calls
        WHERE Bucket >= now() - INTERVAL 7 DAY AND RunId IN (SELECT RunId FROM at_work)
        GROUP BY RunId, AgentId
    ),
    tools AS (
        SELECT RunId, AgentId, count() AS tool_calls, argMaxIf(toString(Tool), StartTime, DurationMs IS NULL AND Success IS NULL) AS open_tool
        FROM @database@.tool_calls
        WHERE Bucket >= now() - INTERVAL 7 DAY AND RunId IN (SELECT RunId FROM at_work)
        GROUP BY RunId, AgentId
    )
SELECT
    at_work.RunId AS run_id,
    named.Name AS run_name,
    at_work.GroupKey AS group_key,
    at_work.SessionId AS session_id,
    at_work.AgentId AS agent_id,
    at_work.Name AS name,
    toString(at_work.Type) AS type,
    if(at_work.Model != '', toString(at_work.Model), calls.last_model) AS model,
    at_work.ParentAgentId AS parent,
    toUnixTimestamp64Nano(at_work.StartTime) AS start_ns,
    toUnixTimestamp64Nano(at_work.LastActivity) AS activity_ns,
    tools.open_tool AS doing,
    calls.llm_calls AS llm_calls,
    tools.tool_calls AS tool_calls,
    calls.tokens AS tokens,
    calls.cost_usd AS cost_usd,
    count() OVER () AS total
FROM at_work
LEFT JOIN calls ON calls.RunId = at_work.RunId AND calls.AgentId = at_work.AgentId
LEFT JOIN tools ON tools.RunId = at_work.RunId AND tools.AgentId = at_work.AgentId
LEFT JOIN (SELECT RunId, Name FROM @database@.runs WHERE Bucket >= now() - INTERVAL 8 DAY AND RunId IN (SELECT RunId FROM at_work)) AS named ON named.RunId = at_work.RunId
ORDER BY activity_ns DESC, agent_id
LIMIT {limit:UInt32}
