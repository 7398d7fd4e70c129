-- What processors have said of some runs.
--
-- params:  tenant String, runs Array(String), day UInt32 (as in said_of_traces)
-- returns: RunId, Complexity, Effort, SavedSeconds, SavedUsd
SELECT
    RunId,
    Complexity,
    Effort,
    SavedSeconds,
    SavedUsd
FROM @database@.run_analyses
WHERE Tenant = {tenant:String} AND RunId IN {runs:Array(String)}
    AND Bucket BETWEEN toDateTime({day:UInt32}) - 86400 * 2 AND toDateTime({day:UInt32}) + 86400 * 2
