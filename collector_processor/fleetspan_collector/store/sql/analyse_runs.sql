-- The rows of runs that are to be analysed.
-- tokens:  database, runs (a condition on Tenant, Bucket and RunId), settings
-- returns: as `processors.reading` reads it, one row per run
SELECT
    toString(Tenant) AS Tenant,
    RunId,
    SessionId,
    if(OtelTraceId != '', OtelTraceId, if(length(TraceId) = 32, TraceId, '')) AS Trace,
    Name,
    toString(canonical_runs.Status) AS Status,
    toString(Environment) AS Environment,
    toString(Project) AS Project,
    User,
    toString(Service) AS Service,
    StartTime,
    EndTime,
    LastActivity,
    CostUsd,
    arrayMap(source -> toString(source), Sources) AS Sources,
    Agents + LlmCalls + ToolCalls AS Rows,
    toUnixTimestamp(Bucket) AS Hour,
    Version
FROM @database@.canonical_runs FINAL
WHERE @runs@
ORDER BY Hour, Tenant, RunId
@settings@
