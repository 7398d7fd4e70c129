-- The agents of runs that are to be analysed.
-- tokens:  database, rows (a condition on Tenant, Bucket and RunId), settings
-- returns: Tenant, RunId and the columns of `processors.schema.AGENTS`, by run, start, id
SELECT
    toString(Tenant) AS Tenant,
    RunId,
    AgentId,
    ifNull(ParentAgentId, '') AS ParentAgentId,
    ifNull(SpawnToolCallId, '') AS SpawnToolCallId,
    Name,
    toString(Type) AS Type,
    toString(Model) AS Model,
    Task,
    if(length(TraceId) = 32, SpanId, OtelSpanId) AS SpanId,
    StartTime,
    EndTime,
    LastActivity,
    toString(Status) AS Status,
    toString(Error) AS Error,
    Activations,
    toString(TimeSource) AS TimeSource
FROM @database@.canonical_agents FINAL
WHERE @rows@
ORDER BY Tenant, RunId, StartTime, AgentId
@settings@
