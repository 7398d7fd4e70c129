-- The tool calls of runs that are to be analysed.
-- tokens:  database, rows (a condition on Tenant, Bucket and RunId), settings
-- returns: Tenant, RunId and the columns of `processors.schema.TOOL_CALLS`, by run, start, id
SELECT
    toString(Tenant) AS Tenant,
    RunId,
    ToolCallId,
    AgentId,
    toString(Tool) AS Tool,
    ArgumentsHash,
    ResultHash,
    ResultBytes,
    if(length(TraceId) = 32, SpanId, OtelSpanId) AS SpanId,
    StartTime,
    DurationMs,
    PermissionWaitMs,
    Success,
    toString(Error) AS Error,
    toString(TimeSource) AS TimeSource
FROM @database@.canonical_tool_calls FINAL
WHERE @rows@
ORDER BY Tenant, RunId, StartTime, ToolCallId
@settings@
