-- What is known of sessions, added up.
-- tokens:  database, tenant, sessions (quoted, with commas between)
-- returns: one row
SELECT
    toFloat64(count()) AS sessions,
    toFloat64(sum(Agents)) AS agents,
    toFloat64(sum(LlmCalls)) AS llm_calls,
    toFloat64(sum(ToolCalls)) AS tool_calls,
    toFloat64(sum(InputTokens)) AS input_tokens,
    toFloat64(sum(CacheReadTokens)) AS cache_read_tokens,
    toFloat64(sum(CacheWriteTokens)) AS cache_write_tokens,
    toFloat64(sum(OutputTokens)) AS output_tokens,
    sum(CostUsd) AS cost_usd,
    toFloat64(sum(UnpricedCalls)) AS unpriced_calls
FROM @database@.runs
WHERE Tenant = '@tenant@' AND RunId IN (@sessions@)
