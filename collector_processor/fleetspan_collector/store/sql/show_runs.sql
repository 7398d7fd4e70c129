-- Runs, newest first.
-- params:  since Int64 (Unix nanoseconds, 0 for all), limit Int64 (-1 for all)
-- returns: one row per run, as `StoreReader` reads it
SELECT
@run_columns@
FROM @database@.runs
WHERE {since:Int64} = 0 OR LastActivity >= fromUnixTimestamp64Nano({since:Int64})
ORDER BY StartTime DESC, RunId
LIMIT if({limit:Int64} < 0, 9223372036854775807, {limit:Int64})
