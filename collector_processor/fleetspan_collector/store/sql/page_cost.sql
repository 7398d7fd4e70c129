-- Cost, tokens and calls over time, by something.
-- tokens:  by (an expression over llm_calls), join (to what it needs)
-- params:  since, until Int64 (Unix seconds), bin UInt32 (seconds)
-- returns: name, bin_s, cost_usd, tokens, calls, unpriced
SELECT
    toString(@by@) AS name,
    toUnixTimestamp(toStartOfInterval(StartTime, toIntervalSecond({bin:UInt32}), toDateTime64({since:Int64}, 9))) AS bin_s,
    sum(CostUsd) AS cost_usd,
    sum(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens) AS tokens,
    count() AS calls,
    countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL)) AS unpriced
FROM @database@.llm_calls AS calls
@join@
WHERE StartTime >= toDateTime({since:Int64}) AND StartTime < toDateTime({until:Int64})
    AND Bucket BETWEEN toDateTime({since:Int64}) - INTERVAL 1 DAY AND toDateTime({until:Int64})
GROUP BY name, bin_s
ORDER BY bin_s
