-- Snapshots, latest first.
-- tokens:  runs (a condition on RunId), limit
-- returns: as `snapshots.reading` reads it
SELECT
    SnapshotId, RunId, RunName, SessionId, toString(Trigger) AS Trigger, At, Name, Reason,
    Agents, AgentsRunning, ToolsRunning, Errors,
    InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens AS Tokens,
    CostUsd, StateBytes, StateHash, RunOpen
FROM snapshots
WHERE @runs@
ORDER BY At DESC, SnapshotId
LIMIT @limit@
