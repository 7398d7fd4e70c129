-- The tool calls of runs that are to be analysed.
-- tokens:  database, rows (a condition on Tenant, Bucket and RunId)
-- returns: Tenant, RunId and the columns of `processors.schema.TOOL_CALLS`, by run, start, id
--
-- Read in the order of the key, of which the tenant is the first part, it would take two to
-- four times as long.
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
SETTINGS do_not_merge_across_partitions_select_final = 1, optimize_read_in_order = 0
