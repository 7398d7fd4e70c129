-- The last hour, minute by minute.
-- returns: minute_s, agents, llm_calls, errors, cost_usd, tokens, unpriced
SELECT
    toUnixTimestamp(toStartOfMinute(StartTime)) AS minute_s,
    uniqExact(RunId, AgentId) AS agents,
    count() AS llm_calls,
    countIf(Error != '') AS errors,
    sum(CostUsd) AS cost_usd,
    sum(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens) AS tokens,
    countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL)) AS unpriced
FROM @database@.llm_calls
WHERE StartTime >= now() - INTERVAL 1 HOUR AND Bucket >= now() - INTERVAL 3 HOUR
GROUP BY minute_s
ORDER BY minute_s
