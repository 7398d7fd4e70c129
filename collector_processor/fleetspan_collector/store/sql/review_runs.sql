-- The runs of a phase, with where their time went.
-- tokens:  chosen (a condition on runs)
-- returns: one row per run, as `insights._phase` reads it, by start
SELECT
    runs.RunId AS run_id,
    runs.SessionId AS session_id,
    if(runs.Name = '', '?', runs.Name) AS name,
    toString(runs.Status) AS status,
    toUnixTimestamp64Nano(runs.StartTime) AS start_ns,
    toUnixTimestamp64Nano(runs.LastActivity) AS last_ns,
    (toUnixTimestamp64Nano(runs.EndTime) - start_ns) / 1e9 AS wall_s,
    runs.Agents AS agents,
    runs.LlmCalls AS llm_calls,
    runs.ToolCalls AS tool_calls,
    runs.Errors AS errors,
    runs.InputTokens AS input_tokens,
    runs.CacheReadTokens AS cache_read_tokens,
    runs.CacheWriteTokens AS cache_write_tokens,
    runs.OutputTokens AS output_tokens,
    runs.CostUsd AS cost_usd,
    runs.UnpricedCalls AS unpriced_calls,
    runs.OrphanSpans AS orphan_spans,
    runs.UnattributedUsd AS unattributed_usd,
    analyses.RunId != '' AS analysed,
    analyses.WallSeconds AS path_s,
    analyses.ModelSeconds AS model_s,
    analyses.ToolSeconds AS tool_s,
    analyses.PermissionSeconds AS permission_s,
    analyses.QueueSeconds AS queue_s,
    analyses.BackoffSeconds AS backoff_s,
    analyses.SubagentSeconds AS subagent_s,
    analyses.GapSeconds AS gap_s,
    analyses.BusySeconds AS busy_s,
    analyses.SavedSeconds AS saved_s,
    analyses.SavedUsd AS saved_usd,
    analyses.Complexity AS complexity,
    analyses.Effort AS effort,
    analyses.SetAside AS set_aside
FROM (SELECT * FROM runs WHERE @chosen@) AS runs
LEFT JOIN (SELECT * FROM run_analyses WHERE RunId IN (SELECT RunId FROM runs WHERE @chosen@)) AS analyses
    ON analyses.Tenant = runs.Tenant AND analyses.RunId = runs.RunId
ORDER BY start_ns, run_id
