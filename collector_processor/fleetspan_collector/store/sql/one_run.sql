-- Where a run is stored; of several tenants' runs of one id the latest.
-- tokens:  database, run_id (a literal)
-- returns: Tenant, RunId String, Hour UInt32 (Unix seconds)
SELECT toString(Tenant) AS Tenant, RunId, toUnixTimestamp(Bucket) AS Hour
FROM @database@.runs
WHERE RunId = @run_id@
ORDER BY LastActivity DESC
LIMIT 1
