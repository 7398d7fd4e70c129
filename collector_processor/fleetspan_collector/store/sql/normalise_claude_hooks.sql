-- Evidence of Claude Code's hooks: what starts and ends, who started whom, tool calls.
-- Hooks tell of work as it begins, and never of tokens.
-- tokens:  database, window (a condition on claude_hooks), rules_version
-- returns: the columns of evidence that are named here
--
-- A SubagentStop without a type is compaction at work, not an agent. A denied call has
-- no Post hook of its own: the batch that it was in closes it. Stop ends a turn of the
-- main agent; agents in the background go on and end by themselves.
WITH
    if(caller != '', caller, SessionId) AS agent,
    (caller = '') AS by_main,
    toUInt64(toUnixTimestamp64Nano(EventTime)) AS at_ns,
    bitShiftRight(cityHash64(Event, EventTime, Body), 1) AS content,
    JSONExtractRaw(Body, 'tool_response') AS response,
    JSONExtractString(Body, 'tool_response', 'agentId') AS spawned,
    JSONExtractString(Body, 'tool_response', 'status') AS spawned_status,
    toInt64(ifNull(JSONExtract(Body, 'duration_ms', 'Nullable(Float64)'), 0) * 1000000) AS took_ns,
    splitByChar('-', TraceParent) AS context,
    if(length(context) = 4, context[2], '') AS context_trace,
    if(length(context) = 4, context[3], '') AS context_span,
    thing IN ('start', 'seen', 'stop', 'spawn', 'prompt', 'session_end') AS is_agent,
    thing IN ('tool_start', 'tool_end', 'denied', 'batch') AS is_tool,
    Event IN ('PostToolUseFailure', 'StopFailure') AS failed
SELECT
    Tenant,
    SessionId AS GroupKey,
    multiIf(
        thing = 'spawn', spawned,
        thing = 'batch', JSONExtractString(called, 'tool_use_id'),
        is_tool, ToolUseId,
        thing = 'activation', concat(agent, '@', if(DeliveryId != '', DeliveryId, toString(at_ns))),
        agent) AS Key,
    concat('hook/', thing) AS Source,
    transform(thing, ['spawn', 'start', 'stop', 'tool_end', 'denied', 'prompt', 'tool_start', 'batch'], [36, 35, 34, 23, 23, 33, 13, 12], 30) AS SourceRank,
    multiIf(
        thing IN ('start', 'prompt', 'tool_start', 'spawn'), 9223372036854775807 - at_ns,
        thing = 'activation', content,
        at_ns) AS Rank,
    multiIf(is_agent, 'agent', is_tool, 'tool', 'activation') AS Kind,
    SessionId AS RunId,
    if(thing = 'spawn', spawned, agent) AS AgentId,
    if(thing = 'spawn', agent, '') AS ParentAgentId,
    -- Every hook of a sub-agent names the span of the tool call that started it.
    if(is_agent AND thing != 'spawn' AND NOT by_main, context_span, '') AS ParentKey,
    if(thing = 'spawn', ToolUseId, '') AS SpawnToolCallId,
    SessionId,
    arrayElement(splitByRegexp('[\\\\/]+', trimRight(Cwd, '/\\')), -1) AS Project,
    'claude-code' AS Service,
    multiIf(is_tool AND thing != 'batch', toString(ToolName), thing = 'batch', JSONExtractString(called, 'tool_name'), NOT is_agent, '', thing != 'spawn' AND by_main, 'Claude Code', Type) AS Name,
    multiIf(NOT is_agent, '', thing = 'spawn', JSONExtractString(Body, 'tool_response', 'agentType'), by_main, 'main', toString(AgentType)) AS Type,
    multiIf(thing = 'spawn', JSONExtractString(Body, 'tool_input', 'description'), thing = 'prompt', JSONExtractString(Body, 'prompt'), '') AS Task,
    if(thing = 'spawn', JSONExtractString(Body, 'tool_response', 'resolvedModel'), '') AS Model,
    if(is_tool, Key, '') AS ToolCallId,
    if(thing IN ('tool_start', 'tool_end'), lower(hex(sipHash64(JSONExtractRaw(Body, 'tool_input')))), '') AS ArgumentsHash,
    if(thing = 'tool_end' AND response != '', lower(hex(sipHash64(response))), '') AS ResultHash,
    -- Says that nothing of the session is at work any more.
    if(thing = 'session_end', 'session_end', '') AS FinishReason,
    multiIf(
        thing = 'denied', 'permission_denied',
        failed AND thing IN ('tool_end', 'stop'), if(JSONExtractBool(Body, 'is_interrupt'), 'interrupted', substring(JSONExtractString(Body, 'error'), 1, 200)),
        '') AS Error,
    multiIf(
        thing IN ('start', 'seen', 'prompt', 'tool_start', 'activation'), 'running',
        thing = 'spawn', if(spawned_status = 'completed', 'ok', 'running'),
        failed OR thing = 'denied', 'error',
        'ok') AS Status,
    if(thing IN ('tool_end', 'spawn'), fromUnixTimestamp64Nano(toInt64(at_ns) - took_ns), EventTime) AS StartTime,
    if(thing IN ('stop', 'session_end', 'tool_end', 'denied', 'batch') OR (thing = 'spawn' AND spawned_status = 'completed'), EventTime, NULL) AS EndTime,
    EventTime AS LastActivity,
    if(thing = 'tool_end' AND response != '', length(response), NULL) AS ResultBytes,
    multiIf(thing = 'tool_end', toUInt8(NOT failed), thing = 'denied', 0, NULL) AS Success,
    if(is_agent, context_trace, '') AS TraceId,
    TimeSource,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM
(
    SELECT *,
        arrayJoin(if(thing = 'batch', JSONExtractArrayRaw(Body, 'tool_calls'), [''])) AS called
    FROM
    (
        SELECT *,
            AgentId AS caller,
            arrayJoin(arrayFilter(x -> x != '', [
                if(Event = 'SubagentStart' OR Event = 'SessionStart', 'start', ''),
                if(Event = 'SubagentStart' OR (Event = 'SessionStart' AND JSONExtractString(Body, 'source') != 'compact'), 'activation', ''),
                if(Event IN ('SubagentStop', 'Stop', 'StopFailure'), 'stop', ''),
                if(Event = 'SessionEnd', 'session_end', ''),
                if(Event = 'UserPromptSubmit' AND NOT startsWith(JSONExtractString(Body, 'prompt'), '<task-notification>'), 'prompt', ''),
                if(Event IN ('PostToolUse') AND JSONExtractString(Body, 'tool_response', 'agentId') != '', 'spawn', ''),
                if(Event = 'PreToolUse' AND ToolUseId != '', 'tool_start', ''),
                if(Event IN ('PostToolUse', 'PostToolUseFailure') AND ToolUseId != '', 'tool_end', ''),
                if(Event = 'PermissionDenied' AND ToolUseId != '', 'denied', ''),
                if(Event = 'PostToolBatch' AND JSONHas(Body, 'tool_calls', 1), 'batch', ''),
                'seen'
            ])) AS thing
        FROM @database@.claude_hooks
        WHERE (@window@) AND SessionId != '' AND Event != ''
            AND NOT (Event = 'SubagentStop' AND AgentType = '')
            -- Hooks of what is around the session rather than in it.
            AND Event NOT IN ('InstructionsLoaded', 'ConfigChange', 'Notification', 'Setup')
    )
)
