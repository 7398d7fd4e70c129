-- Runs that have ended and of which a destination has not been told, or not of their latest
-- state; oldest first.
-- tokens:  database
-- params:  destination String, since Int64 (written then or later, Unix milliseconds),
--          limit UInt32
-- returns: rows of `run_analyses`, without their paths, with TraceId, Status and CostUsd of `runs`
SELECT
    a.Tenant AS Tenant,
    a.RunId AS RunId,
    a.SessionId AS SessionId,
    a.RunName AS RunName,
    a.Environment AS Environment,
    a.Project AS Project,
    a.User AS User,
    a.Service AS Service,
    a.StartTime AS StartTime,
    a.WallSeconds AS WallSeconds,
    a.ModelSeconds AS ModelSeconds,
    a.ToolSeconds AS ToolSeconds,
    a.PermissionSeconds AS PermissionSeconds,
    a.QueueSeconds AS QueueSeconds,
    a.BackoffSeconds AS BackoffSeconds,
    a.SubagentSeconds AS SubagentSeconds,
    a.GapSeconds AS GapSeconds,
    a.BusySeconds AS BusySeconds,
    a.TaskKind AS TaskKind,
    a.Complexity AS Complexity,
    a.Effort AS Effort,
    a.FilesTouched AS FilesTouched,
    a.SavedSeconds AS SavedSeconds,
    a.SavedUsd AS SavedUsd,
    a.SetAside AS SetAside,
    a.RunOpen AS RunOpen,
    a.RunVersion AS RunVersion,
    a.AnalysedAt AS AnalysedAt,
    r.TraceId AS TraceId,
    r.Status AS Status,
    r.CostUsd AS CostUsd
FROM @database@.stored_analyses AS a FINAL
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
            WHERE Version >= toUInt64({since:Int64} * 1000000)
        )
    GROUP BY Tenant, Subject
) AS t ON t.Tenant = a.Tenant AND t.Subject = a.RunId
LEFT JOIN
(
    SELECT Tenant, RunId, TraceId, Status, CostUsd
    FROM @database@.runs
    WHERE RunId IN
    (
        SELECT RunId
        FROM @database@.stored_analyses
        WHERE Version >= toUInt64({since:Int64} * 1000000)
    )
) AS r ON r.Tenant = a.Tenant AND r.RunId = a.RunId
WHERE a.Version >= toUInt64({since:Int64} * 1000000)
    AND a.RunOpen = 0
    AND t.Told < a.RunVersion
ORDER BY a.Version, a.RunId
LIMIT {limit:UInt32}
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
