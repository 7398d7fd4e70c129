-- What agents of some sessions of Claude Code planned: whole lists, and single tasks.
-- tokens:  database, sessions, files (conditions on Tenant, and SessionId or FileSessionId)
-- returns: Tenant, SessionId, AgentId, At, Tool, Input and Result (JSON)
SELECT
    toString(Tenant) AS Tenant,
    SessionId,
    if(AgentId = '', SessionId, AgentId) AS AgentId,
    EventTime AS At,
    toString(ToolName) AS Tool,
    JSONExtractRaw(Body, 'tool_input') AS Input,
    JSONExtractRaw(Body, 'tool_response') AS Result
FROM @database@.claude_hooks
WHERE (@sessions@) AND Event = 'PostToolUse' AND ToolName IN ('TodoWrite', 'TaskCreate', 'TaskUpdate')
UNION ALL
SELECT
    toString(Tenant) AS Tenant,
    FileSessionId AS SessionId,
    if(AgentId = '', FileSessionId, AgentId) AS AgentId,
    Timestamp AS At,
    'TodoWrite' AS Tool,
    JSONExtractRaw(arrayFirst(block -> JSONExtractString(block, 'name') = 'TodoWrite', JSONExtractArrayRaw(Body, 'message', 'content')), 'input') AS Input,
    '' AS Result
FROM @database@.claude_transcript_lines
WHERE (@files@) AND Type = 'assistant' AND Body LIKE '%"TodoWrite"%' AND Input != ''
