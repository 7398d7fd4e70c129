-- Runs of the last hour in figures, and how many go on.
--
-- Activity only moves on: a run of the last hour has a row that says so, read without
-- merging; only for these the newest version is looked up.
--
-- returns: runs, failed_runs, tool_calls, errors, running
WITH candidates AS (
    SELECT DISTINCT Bucket, RunId
    FROM @database@.canonical_runs
    WHERE Bucket >= now() - INTERVAL 7 DAY
        AND (LastActivity >= now() - INTERVAL 1 HOUR OR Status = 'running')
)
SELECT
    countIf(recent) AS runs,
    countIf(recent AND Status IN ('error', 'abandoned')) AS failed_runs,
    sumIf(ToolCalls, recent) AS tool_calls,
    sumIf(Errors, recent) AS errors,
    countIf(Status = 'running') AS running
FROM
(
    SELECT Status, ToolCalls, Errors, LastActivity >= now() - INTERVAL 1 HOUR AS recent
    FROM @database@.runs
    WHERE Bucket IN (SELECT Bucket FROM candidates)
        AND (Bucket, RunId) IN (SELECT Bucket, RunId FROM candidates)
)
