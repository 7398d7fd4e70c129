-- Runs, newest first.
-- params:  since Int64 (Unix nanoseconds, 0 for all), limit Int64 (-1 for all)
-- returns: one row per run, as `StoreReader` reads it
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
    UnpricedCalls AS unpriced_calls
FROM @database@.runs
WHERE {since:Int64} = 0 OR LastActivity >= fromUnixTimestamp64Nano({since:Int64})
ORDER BY StartTime DESC, RunId
LIMIT if({limit:Int64} < 0, 9223372036854775807, {limit:Int64})
