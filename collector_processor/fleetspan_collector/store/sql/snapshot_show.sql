-- One snapshot, all of it.
-- tokens:  snapshot (quoted id)
-- returns: as `snapshots.reading` reads it
SELECT
    toString(Tenant) AS Tenant, RunId, SnapshotId, SessionId, TraceId, RunName,
    toString(Environment) AS Environment, toString(Project) AS Project, User,
    toString(Service) AS Service, toString(Trigger) AS Trigger, Place, At, Name, Reason,
    AgentId, Agents, AgentsRunning, AgentsFailed, LlmCalls, ToolCalls, ToolsRunning,
    Errors, InputTokens, CacheReadTokens, CacheWriteTokens, OutputTokens, CostUsd, Content,
    toString(StateKind) AS StateKind, StateHash, StateBytes, StateChunks, RunOpen, TakenAt
FROM snapshots
WHERE SnapshotId = '@snapshot@'
ORDER BY TakenAt DESC
LIMIT 1
