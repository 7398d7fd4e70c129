-- When there were model calls, by quarter of an hour.
-- returns: first, last Int64 (Unix nanoseconds), by time
SELECT
    toUnixTimestamp64Nano(min(StartTime)) AS first,
    toUnixTimestamp64Nano(max(StartTime)) AS last
FROM llm_calls
GROUP BY intDiv(toUnixTimestamp64Nano(StartTime), 900000000000)
ORDER BY first
