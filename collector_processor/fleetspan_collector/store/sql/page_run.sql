-- One run by its id, as a row of `page_runs`.
-- params:  run_id String
-- returns: as page_runs, without sort_value
SELECT
@run_columns@,
    GroupKey AS group_key,
    TraceId AS trace_id,
    if(EndTime IS NULL, NULL, toUnixTimestamp64Nano(EndTime)) AS ended_ns,
    toUnixTimestamp64Nano(LastActivity) AS activity_ns,
    toString(Service) AS service,
    toString(Project) AS project,
    toString(Environment) AS environment,
    User AS user,
    toString(Tenant) AS tenant,
    toUnixTimestamp(Bucket) AS bucket_s
FROM @database@.runs
WHERE RunId = {run_id:String}
    -- The hour is part of the key too: only its rows are merged.
    AND Bucket IN (SELECT Bucket FROM @database@.canonical_runs WHERE RunId = {run_id:String})
LIMIT 1
