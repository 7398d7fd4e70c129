-- What is known of the runs that some traces are of.
--
-- params:  tenant String, traces Array(String), day UInt32 (of their roots, Unix seconds: a
--          run's bucket lies less than a day from it)
-- returns: TraceId, RunId, CostUsd, Complexity, Effort, SavedSeconds, SavedUsd, Detectors
SELECT
    r.TraceId AS TraceId,
    r.RunId AS RunId,
    r.CostUsd AS CostUsd,
    a.Complexity AS Complexity,
    a.Effort AS Effort,
    a.SavedSeconds AS SavedSeconds,
    a.SavedUsd AS SavedUsd,
    f.Detectors AS Detectors
FROM
(
    SELECT TraceId, RunId, CostUsd
    FROM @database@.runs
    WHERE Tenant = {tenant:String} AND TraceId IN {traces:Array(String)}
        AND Bucket BETWEEN toDateTime({day:UInt32}) - 86400 * 2 AND toDateTime({day:UInt32}) + 86400 * 2
) AS r
LEFT JOIN
(
    SELECT RunId, Complexity, Effort, SavedSeconds, SavedUsd
    FROM @database@.run_analyses
    WHERE Tenant = {tenant:String}
        AND Bucket BETWEEN toDateTime({day:UInt32}) - 86400 * 2 AND toDateTime({day:UInt32}) + 86400 * 2
) AS a ON a.RunId = r.RunId
LEFT JOIN
(
    SELECT RunId, arraySort(groupUniqArray(toString(Detector))) AS Detectors
    FROM @database@.findings
    WHERE Tenant = {tenant:String}
        AND Bucket BETWEEN toDateTime({day:UInt32}) - 86400 * 2 AND toDateTime({day:UInt32}) + 86400 * 2
    GROUP BY RunId
) AS f ON f.RunId = r.RunId
SETTINGS join_use_nulls = 0
