-- Cost, tokens and calls over time, by something.
--
-- Seconds since the beginning are divided as numbers: intervals of times of nanoseconds
-- cost as much as all the rest.
--
-- tokens:  by (an expression over llm_calls), join (to what it needs), at (StartTime, or
--          Bucket, which is its hour)
-- params:  since, until Int64 (Unix seconds), bin UInt32 (seconds)
-- returns: name, bin_s, cost_usd, tokens, calls, unpriced
SELECT
    toString(grouped) AS name,
    {since:Int64} + toInt64(bin) * {bin:UInt32} AS bin_s,
    cost_usd, tokens, calls, unpriced
FROM
(
    SELECT
        @by@ AS grouped,
        intDiv(toUInt32(toUnixTimestamp(@at@) - {since:Int64}), {bin:UInt32}) AS bin,
        sum(CostUsd) AS cost_usd,
        sum(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens) AS tokens,
        count() AS calls,
        countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL)) AS unpriced
    FROM @database@.llm_calls AS calls
    @join@
    WHERE @at@ >= toDateTime({since:Int64}) AND @at@ < toDateTime({until:Int64})
        AND Bucket BETWEEN toDateTime({since:Int64}) - INTERVAL 1 DAY AND toDateTime({until:Int64})
    GROUP BY grouped, bin
)
ORDER BY bin_s
