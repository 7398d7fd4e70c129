-- What some runs are called.
-- params:  runs Array(String), since UInt32 (Unix seconds: the oldest bucket of their agents)
-- returns: run_id, run_name
SELECT RunId AS run_id, Name AS run_name
FROM @database@.runs
WHERE Bucket >= toDateTime({since:UInt32}) - INTERVAL 1 DAY AND RunId IN {runs:Array(String)}
