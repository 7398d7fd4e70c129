-- Runs that have ended and of which a destination has not been told, or not of their latest
-- state; oldest first.
-- tokens:  database
-- params:  destination String, since Int64 (analysed then or later, Unix milliseconds),
--          limit UInt32
-- returns: rows of `run_analyses` with TraceId, Status and CostUsd of `runs`
SELECT a.*, r.TraceId AS TraceId, r.Status AS Status, r.CostUsd AS CostUsd
FROM @database@.run_analyses AS a
LEFT JOIN
(
    SELECT Tenant, Subject, max(Level) AS Told
    FROM @database@.stored_deliveries
    WHERE Destination = {destination:String} AND Kind = 'run'
        AND Outcome IN ('delivered', 'refused', 'gave_up', 'expired')
        AND Subject IN
        (
            SELECT RunId
            FROM @database@.stored_analyses
            WHERE AnalysedAt >= fromUnixTimestamp64Milli({since:Int64})
        )
    GROUP BY Tenant, Subject
) AS t ON t.Tenant = a.Tenant AND t.Subject = a.RunId
LEFT JOIN @database@.runs AS r ON r.Tenant = a.Tenant AND r.RunId = a.RunId
WHERE a.AnalysedAt >= fromUnixTimestamp64Milli({since:Int64})
    AND a.RunOpen = 0
    AND t.Told < a.RunVersion
ORDER BY a.AnalysedAt, a.RunId
LIMIT {limit:UInt32}
SETTINGS join_use_nulls = 0
