-- The runs that some traces are of, and what they cost.
--
-- params:  tenant String, traces Array(String), day UInt32 (of their roots, Unix seconds: a
--          run's bucket lies less than a day from it)
-- returns: TraceId, RunId, CostUsd
SELECT
    TraceId,
    RunId,
    CostUsd
FROM @database@.runs
WHERE Tenant = {tenant:String} AND TraceId IN {traces:Array(String)}
    AND Bucket BETWEEN toDateTime({day:UInt32}) - 86400 * 2 AND toDateTime({day:UInt32}) + 86400 * 2
