-- What agents of some runs have done and have open.
-- params:  runs Array(String), since UInt32 (Unix seconds: the oldest bucket of their agents)
-- returns: run_id, agent_id, model, doing, llm_calls, tool_calls, tokens, cost_usd
WITH
    calls AS (
        SELECT
            RunId, AgentId, count() AS llm_calls,
            sum(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens) AS tokens,
            sum(CostUsd) AS cost_usd,
            argMax(toString(Model), StartTime) AS model
        FROM @database@.llm_calls
        WHERE Bucket >= toDateTime({since:UInt32}) AND RunId IN {runs:Array(String)}
        GROUP BY RunId, AgentId
    ),
    tools AS (
        SELECT
            RunId, AgentId, count() AS tool_calls,
            argMaxIf(toString(Tool), StartTime, DurationMs IS NULL AND Success IS NULL) AS doing
        FROM @database@.tool_calls
        WHERE Bucket >= toDateTime({since:UInt32}) AND RunId IN {runs:Array(String)}
        GROUP BY RunId, AgentId
    ),
    both AS (
        SELECT RunId, AgentId FROM calls
        UNION DISTINCT
        SELECT RunId, AgentId FROM tools
    )
SELECT
    both.RunId AS run_id,
    both.AgentId AS agent_id,
    calls.model AS model,
    tools.doing AS doing,
    calls.llm_calls AS llm_calls,
    tools.tool_calls AS tool_calls,
    calls.tokens AS tokens,
    calls.cost_usd AS cost_usd
FROM both
LEFT JOIN calls ON calls.RunId = both.RunId AND calls.AgentId = both.AgentId
LEFT JOIN tools ON tools.RunId = both.RunId AND tools.AgentId = both.AgentId
