-- What model calls used and cost, by quarter of an hour and what else is asked for.
--
-- A quarter, because the days of every time zone begin on one, and the hours too.
-- tokens:  dimensions (columns and their names, each with a comma behind it),
--          since, until (Unix nanoseconds; from then on, and before)
-- returns: bin Int64 (Unix seconds), the dimensions, and per group: first, last Int64
--          (Unix nanoseconds), calls, unpriced UInt64, tokens and costs (NULL when no
--          call knows), difference Float64 (ours less theirs, of calls that know both),
--          theirs Float64 (reported, of these)
SELECT
    toInt64(intDiv(toUnixTimestamp64Nano(StartTime), 900000000000) * 900) AS bin,
    @dimensions@
    toUnixTimestamp64Nano(min(StartTime)) AS first,
    toUnixTimestamp64Nano(max(StartTime)) AS last,
    count() AS calls,
    -- A call that failed without usage cost nothing that is unknown.
    countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL)) AS unpriced,
    sum(InputTokens) AS input,
    sum(OutputTokens) AS output,
    sum(CacheReadTokens) AS cache_read,
    sum(CacheWriteTokens) AS cache_write,
    sum(CacheWrite5mTokens) AS cache_write_5m,
    sum(CacheWrite1hTokens) AS cache_write_1h,
    sum(CostUsd) AS cost,
    sum(ReportedCostUsd) AS reported,
    sum(CostUsd - ReportedCostUsd) AS difference,
    sum(if(CostUsd IS NULL, NULL, ReportedCostUsd)) AS theirs
FROM llm_calls
WHERE StartTime >= fromUnixTimestamp64Nano(@since@) AND StartTime < fromUnixTimestamp64Nano(@until@)
GROUP BY ALL
