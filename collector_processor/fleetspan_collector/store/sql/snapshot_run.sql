-- Where a run is stored.
-- params:  run_id (String)
-- tokens:  database
-- returns: Tenant, RunId, Hour (Unix seconds), the latest first
SELECT toString(Tenant) AS Tenant, RunId, toUnixTimestamp(Bucket) AS Hour
FROM @database@.runs
WHERE RunId = {run_id:String}
ORDER BY LastActivity DESC
LIMIT 1
