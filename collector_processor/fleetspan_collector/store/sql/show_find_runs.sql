-- Ids of the runs whose id starts with a prefix, newest first.
-- params:  prefix String
-- returns: run_id String
SELECT RunId AS run_id
FROM @database@.runs
WHERE startsWith(RunId, {prefix:String})
ORDER BY RunId = {prefix:String} DESC, StartTime DESC
LIMIT 20
