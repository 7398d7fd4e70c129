-- The agents of a run with what they did themselves, by start.
-- params:  run_id String, first Int64, last Int64 (Unix seconds that bound the run's rows)
-- returns: one row per agent, as `StoreReader` reads it
--
-- The groups of the run are looked up first, without FINAL: they are part of the key
-- of the tables, so every version of a row has the same one, and only their rows are
-- merged (5 million calls, 84 parts: 83 ms of CPU instead of 420).
WITH
    toDateTime({first:Int64}) AS earliest,
    toDateTime({last:Int64}) AS latest,
    calls AS (
        SELECT
            AgentId,
            count() AS llm_calls,
            countIf(Error != '') AS failed,
            sum(InputTokens) AS input_tokens,
            sum(CacheReadTokens) AS cache_read_tokens,
            sum(CacheWriteTokens) AS cache_write_tokens,
            sum(CacheWrite5mTokens) AS cache_write_5m_tokens,
            sum(CacheWrite1hTokens) AS cache_write_1h_tokens,
            sum(OutputTokens) AS output_tokens,
            sum(ReasoningTokens) AS reasoning_tokens,
            sum(CostUsd) AS cost_usd,
            sum(ReportedCostUsd) AS reported_cost_usd,
            -- Of the calls that have both.
            sum(CostUsd - ReportedCostUsd) AS cost_difference_usd,
            -- A call that failed without usage cost nothing that is unknown.
            countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL)) AS unpriced_calls
        FROM @database@.llm_calls
        WHERE RunId = {run_id:String} AND Bucket BETWEEN earliest AND latest
            AND GroupKey IN (SELECT TraceId FROM @database@.canonical_llm_calls WHERE RunId = {run_id:String} AND Bucket BETWEEN earliest AND latest)
        GROUP BY AgentId
    ),
    tools AS (
        SELECT
            AgentId,
            count() AS tool_calls,
            countIf(Success = 0) AS failed,
            groupArrayIf(toString(Tool), Success = 0) AS failed_names
        FROM @database@.tool_calls
        WHERE RunId = {run_id:String} AND Bucket BETWEEN earliest AND latest
            AND GroupKey IN (SELECT TraceId FROM @database@.canonical_tool_calls WHERE RunId = {run_id:String} AND Bucket BETWEEN earliest AND latest)
        GROUP BY AgentId
    )
SELECT
    agents.RunId AS run_id,
    agents.SessionId AS session_id,
    agents.AgentId AS agent_id,
    agents.Name AS name,
    toString(agents.Type) AS type,
    agents.ParentAgentId AS parent,
    agents.SpawnToolCallId AS spawn_tool_call_id,
    toString(agents.Status) AS status,
    toUnixTimestamp64Nano(agents.StartTime) AS start_ns,
    (toUnixTimestamp64Nano(ifNull(agents.EndTime, agents.LastActivity)) - start_ns) / 1e9 AS duration_s,
    calls.llm_calls AS llm_calls,
    tools.tool_calls AS tool_calls,
    calls.failed + tools.failed AS errors,
    if(calls.llm_calls = 0, 0, calls.input_tokens) AS input_tokens,
    if(calls.llm_calls = 0, 0, calls.cache_read_tokens) AS cache_read_tokens,
    if(calls.llm_calls = 0, 0, calls.cache_write_tokens) AS cache_write_tokens,
    if(calls.llm_calls = 0, 0, calls.cache_write_5m_tokens) AS cache_write_5m_tokens,
    if(calls.llm_calls = 0, 0, calls.cache_write_1h_tokens) AS cache_write_1h_tokens,
    if(calls.llm_calls = 0, 0, calls.output_tokens) AS output_tokens,
    if(calls.llm_calls = 0, 0, calls.reasoning_tokens) AS reasoning_tokens,
    if(calls.llm_calls = 0, 0, calls.cost_usd) AS cost_usd,
    calls.reported_cost_usd AS reported_cost_usd,
    calls.cost_difference_usd AS cost_difference_usd,
    calls.unpriced_calls AS unpriced_calls,
    arrayMap(pair -> pair.1, arraySort(pair -> (-pair.2, pair.1), arrayMap(name -> (name, countEqual(tools.failed_names, name)), arrayDistinct(tools.failed_names)))) AS failed_tools
FROM @database@.agents AS agents
LEFT JOIN calls ON calls.AgentId = agents.AgentId
LEFT JOIN tools ON tools.AgentId = agents.AgentId
WHERE agents.RunId = {run_id:String} AND agents.Bucket BETWEEN earliest AND latest
    AND agents.GroupKey IN (SELECT TraceId FROM @database@.canonical_agents WHERE RunId = {run_id:String} AND Bucket BETWEEN earliest AND latest)
ORDER BY agents.StartTime, agents.AgentId
