-- How many calls stand under each hour.
-- tokens:  database
-- params:  since Int64 (Unix nanoseconds, 0 for all)
-- returns: hour Int64 (Unix seconds), calls UInt64; versions that are replaced count too
SELECT
    toInt64(toUnixTimestamp(Bucket)) AS hour,
    count() AS calls
FROM @database@.canonical_llm_calls
WHERE {since:Int64} = 0 OR StartTime >= fromUnixTimestamp64Nano({since:Int64})
GROUP BY hour
ORDER BY hour
