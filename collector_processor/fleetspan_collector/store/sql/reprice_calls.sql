-- The calls of some hours, whole, as they stand.
-- tokens:  database
-- params:  since Int64 (Unix nanoseconds, 0 for all), first Int64, last Int64 (hours, Unix seconds)
-- returns: the columns of canonical_llm_calls
SELECT *
FROM @database@.canonical_llm_calls FINAL
WHERE Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
    AND ({since:Int64} = 0 OR StartTime >= fromUnixTimestamp64Nano({since:Int64}))
SETTINGS do_not_merge_across_partitions_select_final = 1
