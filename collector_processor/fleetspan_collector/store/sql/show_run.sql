-- One run by its id, with the time bounds of its rows.
-- params:  run_id String
-- returns: as show_runs, and bucket_s, last_s (Unix seconds)
SELECT
    RunId AS run_id,
    SessionId AS session_id,
    Name AS name,
    toString(Status) AS status,
    toUnixTimestamp64Nano(StartTime) AS start_ns,
    (toUnixTimestamp64Nano(ifNull(EndTime, LastActivity)) - start_ns) / 1e9 AS duration_s,
    Agents AS agents,
    LlmCalls AS llm_calls,
    ToolCalls AS tool_calls,
    Errors AS errors,
    InputTokens AS input_tokens,
    CacheReadTokens AS cache_read_tokens,
    CacheWriteTokens AS cache_write_tokens,
    CacheWrite5mTokens AS cache_write_5m_tokens,
    CacheWrite1hTokens AS cache_write_1h_tokens,
    OutputTokens AS output_tokens,
    ReasoningTokens AS reasoning_tokens,
    CostUsd AS cost_usd,
    UnpricedCalls AS unpriced_calls,
    -- An hour of margin: a run keeps the hour under which it was first written.
    toUnixTimestamp(toStartOfHour(least(Bucket, toDateTime(StartTime)))) - 3600 AS bucket_s,
    toUnixTimestamp(LastActivity) AS last_s
FROM @database@.runs
WHERE RunId = {run_id:String}
LIMIT 1
