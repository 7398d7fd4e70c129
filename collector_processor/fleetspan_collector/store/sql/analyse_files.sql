-- What runs did to files, as far as any feed tells: the SDK's events, else Claude Code's
-- hooks and transcripts.
-- tokens:  database, traces and sessions (conditions on Tenant, and TraceId or SessionId),
--          first, last (Unix seconds that bound the runs)
-- returns: Tenant, GroupKey (trace or session) and the columns of `processors.schema.FILES`
SELECT
    toString(Tenant) AS Tenant,
    TraceId AS GroupKey,
    SpanAttributes['fleetspan.agent.id'] AS AgentId,
    Attributes['fleetspan.file_operation.file_path'] AS Path,
    Attributes['fleetspan.file_operation.operation'] AS Operation,
    At AS StartTime
FROM @database@.otel_traces
ARRAY JOIN Events.Name AS Event, Events.Attributes AS Attributes, Events.Timestamp AS At
WHERE (@traces@)
    AND Timestamp BETWEEN toDateTime64(@first@, 9) AND toDateTime64(@last@ + 1, 9)
    AND Event = 'fleetspan.file_operation'
UNION ALL
SELECT
    toString(Tenant) AS Tenant,
    SessionId AS GroupKey,
    if(AgentId = '', SessionId, AgentId) AS AgentId,
    JSONExtractString(Body, 'tool_input', if(ToolName = 'NotebookEdit', 'notebook_path', 'file_path')) AS Path,
    multiIf(ToolName = 'Read', 'read', ToolName = 'Write', 'create', 'modify') AS Operation,
    EventTime AS StartTime
FROM @database@.claude_hooks
WHERE (@sessions@)
    AND Event = 'PostToolUse' AND ToolName IN ('Read', 'Edit', 'MultiEdit', 'Write', 'NotebookEdit')
UNION ALL
SELECT
    toString(Tenant) AS Tenant,
    SessionId AS GroupKey,
    if(AgentId = '', SessionId, AgentId) AS AgentId,
    if(JSONHas(Body, 'toolUseResult', 'filePath'), JSONExtractString(Body, 'toolUseResult', 'filePath'), JSONExtractString(Body, 'toolUseResult', 'file', 'filePath')) AS Path,
    multiIf(JSONHas(Body, 'toolUseResult', 'file'), 'read', JSONExtractString(Body, 'toolUseResult', 'type') = 'create', 'create', 'modify') AS Operation,
    Timestamp AS StartTime
FROM @database@.claude_transcript_lines
WHERE (@sessions@)
    AND Type = 'user' AND Body LIKE '%"filePath"%' AND Path != ''
