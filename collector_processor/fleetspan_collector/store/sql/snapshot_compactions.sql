-- When Claude Code was about to compact the context of some sessions.
-- tokens:  database, sessions (a condition on Tenant and SessionId)
-- returns: Tenant, SessionId, At, AgentId, By (manual or auto)
SELECT
    toString(Tenant) AS Tenant,
    SessionId,
    EventTime AS At,
    AgentId,
    JSONExtractString(Body, 'trigger') AS By
FROM @database@.claude_hooks
WHERE (@sessions@) AND Event = 'PreCompact'
ORDER BY Tenant, SessionId, At
