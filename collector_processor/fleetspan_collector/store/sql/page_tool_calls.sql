-- The tool calls of a run, as rows of a timeline.
-- params:  run_id String, first, last Int64 (Unix seconds that bound the run's rows)
-- returns: id, agent, tool, error, success, start_ns, duration_ms, wait_ms, span_id, trace_id
SELECT
    ToolCallId AS id,
    AgentId AS agent,
    toString(Tool) AS tool,
    toString(Error) AS error,
    Success AS success,
    toUnixTimestamp64Nano(StartTime) AS start_ns,
    DurationMs AS duration_ms,
    ifNull(PermissionWaitMs, 0) AS wait_ms,
    SpanId AS span_id,
    TraceId AS trace_id
FROM @database@.tool_calls
WHERE RunId = {run_id:String} AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
    AND GroupKey IN (SELECT TraceId FROM @database@.canonical_tool_calls WHERE RunId = {run_id:String} AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64}))
ORDER BY start_ns, id
