-- The llm calls of a run, as rows of a timeline.
-- params:  run_id String, first, last Int64 (Unix seconds that bound the run's rows)
-- returns: id, agent, model, error, start_ns, duration_ms, tokens, cost_usd, span_id, trace_id
SELECT
    CallId AS id,
    AgentId AS agent,
    toString(Model) AS model,
    toString(Error) AS error,
    toUnixTimestamp64Nano(StartTime) AS start_ns,
    DurationMs AS duration_ms,
    InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens AS tokens,
    CostUsd AS cost_usd,
    SpanId AS span_id,
    TraceId AS trace_id
FROM @database@.llm_calls
WHERE RunId = {run_id:String} AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
    AND GroupKey IN (SELECT TraceId FROM @database@.canonical_llm_calls WHERE RunId = {run_id:String} AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64}))
ORDER BY start_ns, id
