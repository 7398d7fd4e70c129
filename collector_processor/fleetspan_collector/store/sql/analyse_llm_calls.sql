-- The llm calls of runs that are to be analysed.
-- tokens:  database, rows (a condition on Tenant, Bucket and RunId), settings
-- returns: Tenant, RunId and the columns of `processors.schema.LLM_CALLS`, by run, start, id
SELECT
    toString(Tenant) AS Tenant,
    RunId,
    CallId,
    AgentId,
    toString(Model) AS Model,
    toString(Provider) AS Provider,
    InputTokens,
    CacheReadTokens,
    CacheWriteTokens,
    CacheWrite5mTokens,
    CacheWrite1hTokens,
    OutputTokens,
    ReasoningTokens,
    CostUsd,
    toString(ServiceTier) AS ServiceTier,
    WebSearches,
    if(length(TraceId) = 32, SpanId, OtelSpanId) AS SpanId,
    StartTime,
    DurationMs,
    TimeToFirstTokenMs,
    Attempts,
    toString(FinishReason) AS FinishReason,
    toString(Error) AS Error
FROM @database@.canonical_llm_calls FINAL
WHERE @rows@
ORDER BY Tenant, RunId, StartTime, CallId
@settings@
