-- What the model calls of a phase came to, by run, agent's name and model.
-- tokens:  rows (a condition on RunId and Bucket)
-- returns: run_id, agent, model String, calls, timed (of known length), failures,
--          unpriced UInt64, seconds Float64 (of the timed), input, cache_read,
--          cache_write, output Nullable(Int64), usd Nullable(Float64), priced UInt64
SELECT
    calls.RunId AS run_id,
    multiIf(agents.Name != '', agents.Name, agents.Type != '', toString(agents.Type), '?') AS agent,
    if(calls.Model = '', '?', toString(calls.Model)) AS model,
    count() AS calls,
    countIf(calls.DurationMs >= 0) AS timed,
    countIf(calls.Error != '') AS failures,
    -- A call that failed without usage cost nothing that is unknown.
    countIf(calls.CostUsd IS NULL AND NOT (calls.Error != '' AND calls.InputTokens IS NULL)) AS unpriced,
    ifNull(sumIf(calls.DurationMs, calls.DurationMs >= 0), 0) / 1e3 AS seconds,
    sum(calls.InputTokens) AS input,
    sum(calls.CacheReadTokens) AS cache_read,
    sum(calls.CacheWriteTokens) AS cache_write,
    sum(calls.OutputTokens) AS output,
    sum(calls.CostUsd) AS usd,
    count(calls.CostUsd) AS priced
FROM (
    SELECT * FROM llm_calls
    WHERE @rows@) AS calls
LEFT JOIN (
    SELECT Tenant, RunId, AgentId, Name, Type FROM agents
    WHERE @rows@) AS agents
    ON agents.Tenant = calls.Tenant AND agents.RunId = calls.RunId AND agents.AgentId = calls.AgentId
GROUP BY run_id, agent, model
ORDER BY run_id, agent, model
