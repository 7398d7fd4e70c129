-- One run with its analysis, and the hours under which its rows are stored.
-- tokens:  run (its id, quoted)
-- returns: one row, or none, as `insights.explain` reads it
SELECT
    runs.RunId AS run_id,
    runs.SessionId AS session_id,
    runs.Name AS name,
    toString(runs.Status) AS status,
    toUnixTimestamp64Nano(runs.StartTime) AS start_ns,
    toUnixTimestamp64Nano(runs.LastActivity) AS last_ns,
    (toUnixTimestamp64Nano(runs.EndTime) - start_ns) / 1e9 AS wall_s,
    runs.CostUsd AS cost_usd,
    runs.UnpricedCalls AS unpriced_calls,
    runs.Errors AS errors,
    runs.Agents AS agents,
    runs.LlmCalls AS llm_calls,
    runs.ToolCalls AS tool_calls,
    analyses.RunId != '' AS analysed,
    analyses.WallSeconds AS path_s,
    analyses.ModelSeconds AS model_s,
    analyses.ToolSeconds AS tool_s,
    analyses.PermissionSeconds AS permission_s,
    analyses.QueueSeconds AS queue_s,
    analyses.BackoffSeconds AS backoff_s,
    analyses.SubagentSeconds AS subagent_s,
    analyses.GapSeconds AS gap_s,
    analyses.SavedSeconds AS saved_s,
    analyses.SavedUsd AS saved_usd,
    analyses.SetAside AS set_aside,
    -- An hour of margin: a row keeps the hour under which it was first written.
    greatest(toInt64(toUnixTimestamp(least(runs.Bucket, toStartOfHour(toDateTime(runs.StartTime))))) - 3600, 0) AS first_s,
    toInt64(toUnixTimestamp(toDateTime(runs.LastActivity))) AS last_s
FROM (SELECT * FROM runs WHERE RunId = @run@) AS runs
LEFT JOIN (SELECT * FROM run_analyses WHERE RunId = @run@) AS analyses
    ON analyses.Tenant = runs.Tenant AND analyses.RunId = runs.RunId
LIMIT 1
