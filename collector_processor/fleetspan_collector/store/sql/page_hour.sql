-- Runs of the last hour in figures, and how many go on.
-- returns: runs, failed_runs, tool_calls, errors, running
SELECT
    countIf(recent) AS runs,
    countIf(recent AND Status IN ('error', 'abandoned')) AS failed_runs,
    sumIf(ToolCalls, recent) AS tool_calls,
    sumIf(Errors, recent) AS errors,
    countIf(Status = 'running') AS running
FROM (SELECT Status, ToolCalls, Errors, LastActivity >= now() - INTERVAL 1 HOUR AS recent FROM @database@.runs WHERE Bucket >= now() - INTERVAL 7 DAY)
