-- What processors say of some runs.
-- params:  ids Array(String), first, last Int64 (Unix seconds that bound their hours)
-- returns: run_id, findings, worst, complexity, saved_seconds, saved_usd
SELECT
    run_id,
    sum(found) AS findings,
    max(severity) AS worst,
    any(complex) AS complexity,
    any(seconds) AS saved_seconds,
    any(usd) AS saved_usd
FROM
(
    SELECT RunId AS run_id, count() AS found, max(toInt8(Severity)) AS severity, CAST(NULL, 'Nullable(Float64)') AS complex, CAST(NULL, 'Nullable(Float64)') AS seconds, CAST(NULL, 'Nullable(Float64)') AS usd
    FROM @database@.findings
    WHERE Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64}) AND RunId IN {ids:Array(String)}
    GROUP BY RunId
    UNION ALL
    SELECT RunId, 0, -1, Complexity, SavedSeconds, SavedUsd
    FROM @database@.run_analyses
    WHERE Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64}) AND RunId IN {ids:Array(String)}
)
GROUP BY run_id
