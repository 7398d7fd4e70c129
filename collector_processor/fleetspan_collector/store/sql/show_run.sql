-- One run by its id, with the time bounds of its rows.
-- params:  run_id String
-- returns: as show_runs, and bucket_s, last_s (Unix seconds)
SELECT
@run_columns@,
    -- An hour of margin: a run keeps the hour under which it was first written.
    toUnixTimestamp(toStartOfHour(least(Bucket, toDateTime(StartTime)))) - 3600 AS bucket_s,
    toUnixTimestamp(LastActivity) AS last_s
FROM @database@.runs
WHERE RunId = {run_id:String}
    -- The hour is part of the key too: only its rows are merged.
    AND Bucket IN (SELECT Bucket FROM @database@.canonical_runs WHERE RunId = {run_id:String})
LIMIT 1
