-- The snapshots that applications ask for of some runs.
-- tokens:  database, runs (a condition on Tenant, RunId and TraceId)
-- returns: as `snapshots.requests` reads it
SELECT
    toString(Tenant) AS Tenant,
    RunId,
    TraceId,
    RequestId,
    At,
    AgentId,
    Name,
    Reason,
    toString(StateKind) AS StateKind,
    StateHash,
    StateBytes,
    StateChunks
FROM @database@.snapshot_requests FINAL
WHERE @runs@
ORDER BY Tenant, RunId, At, RequestId
