-- Evidence of Claude Code's own spans: each span as a node of the tree, and what it
-- tells of calls, tool calls and agents under the keys that all its feeds share
-- (request id, tool_use_id, agent_id; the main agent's is the session id).
-- tokens:  database, window (a condition on otel_traces), rules_version
-- returns: the columns of evidence that are named here
--
-- A call or tool call hangs under the parent of its span, and the span under it, so
-- that ancestors are found whichever feed reported what lies between. A request's
-- agent is a child of the main agent unless it names another parent (since 2.1.145).
-- Spans never tell how long a cache write lives.
WITH
    SpanAttributes AS a,
    (x -> toInt64OrNull(a[x])) AS integer,
    a['session.id'] AS session,
    if(a['agent_id'] != '', a['agent_id'], session) AS agent,
    if(a['request_id'] != '', a['request_id'], SpanId) AS call_key,
    if(a['tool_use_id'] != '', a['tool_use_id'], SpanId) AS tool_key,
    ResourceAttributes['service.version'] AS version,
    arrayMap(part -> toUInt32OrZero(part), splitByChar('.', version)) >= [2, 1, 145] AS names_parents,
    toUInt64(toUnixTimestamp64Nano(Timestamp)) AS start_ns,
    cityHash64(SpanName, ParentSpanId, Timestamp, Duration, StatusCode, a) AS content,
    bitShiftRight(content, 1) AS any_order,
    a['success'] = 'false' OR StatusCode IN ('Error', 'STATUS_CODE_ERROR') AS failed,
    thing IN ('agent', 'tool_agent', 'asked', 'interaction', 'turn') AS is_agent,
    thing IN ('tool', 'execution') AS is_tool
SELECT
    Tenant,
    if(session != '', session, TraceId) AS GroupKey,
    multiIf(thing = 'call', call_key, is_tool, tool_key, is_agent, agent, SpanId) AS Key,
    concat('span/', thing) AS Source,
    multiIf(thing = 'execution', 24, thing = 'tool_agent', 19, 20) AS SourceRank,
    multiIf(
        thing = 'call', bitShiftLeft(toUInt64(least(greatest(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens, 0), 2147483647)), 31) + bitShiftRight(content, 33),
        thing IN ('agent', 'tool_agent', 'asked'), 9223372036854775807 - start_ns,
        is_agent, start_ns + toUInt64(Duration),
        any_order) AS Rank,
    multiIf(thing = 'call', 'call', is_tool, 'tool', is_agent, 'agent', SpanName = 'claude_code.tool.blocked_on_user', 'wait', 'other') AS Kind,
    multiIf(
        thing = 'node', multiIf(
            SpanName = 'claude_code.llm_request', call_key,
            SpanName = 'claude_code.tool', tool_key,
            SpanName = 'claude_code.interaction', session,
            ParentSpanId),
        thing = 'execution' OR (is_agent AND a['agent_id'] = ''), '',
        ParentSpanId) AS ParentKey,
    session AS RunId,
    if(thing IN ('node', 'execution'), '', agent) AS AgentId,
    if(is_agent AND a['agent_id'] != '', if(a['parent_agent_id'] = '' AND names_parents, session, a['parent_agent_id']), '') AS ParentAgentId,
    session AS SessionId,
    if(ResourceAttributes['deployment.environment.name'] != '', ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) AS Environment,
    ResourceAttributes['fleetspan.project'] AS Project,
    multiIf(a['user.email'] != '', a['user.email'], a['user.account_uuid'] != '', a['user.account_uuid'], a['user.id']) AS User,
    ServiceName AS Service,
    multiIf(is_tool, a['tool_name'], is_agent AND a['agent_id'] = '', 'Claude Code', is_agent, Type, thing = 'call', '', SpanName) AS Name,
    multiIf(
        is_tool, a['subagent_type'],
        NOT is_agent, '',
        a['agent_id'] = '', 'main',
        startsWith(a['query_source_safe'], 'agent.'), splitByChar('.', a['query_source_safe'])[-1],
        '') AS Type,
    if(thing IN ('call', 'agent'), if(a['model'] != '', a['model'], a['gen_ai.request.model']), '') AS Model,
    if(thing = 'call', 'anthropic', '') AS Provider,
    if(is_tool, tool_key, '') AS ToolCallId,
    if(thing = 'call', a['request_id'], '') AS RequestId,
    if(thing = 'call', a['stop_reason'], '') AS FinishReason,
    if(thing IN ('call', 'execution') AND failed, multiIf(a['error.type'] != '', a['error.type'], a['error'] != '', substring(a['error'], 1, 200), StatusMessage != '', substring(StatusMessage, 1, 200), 'error'), '') AS Error,
    multiIf(thing IN ('agent', 'tool_agent', 'asked'), 'running', failed, 'error', 'ok') AS Status,
    Timestamp AS StartTime,
    if(thing IN ('agent', 'tool_agent', 'asked', 'tool'), NULL, addNanoseconds(Timestamp, Duration)) AS EndTime,
    addNanoseconds(Timestamp, Duration) AS LastActivity,
    thing = 'call' AND integer('input_tokens') IS NOT NULL AS UsageKnown,
    ifNull(integer('input_tokens'), 0) AS InputTokens,
    ifNull(integer('cache_read_tokens'), 0) AS CacheReadTokens,
    ifNull(integer('cache_creation_tokens'), 0) AS CacheWriteTokens,
    if(CacheWriteTokens = 0, 0, NULL) AS CacheWrite5mTokens,
    if(CacheWriteTokens = 0, 0, NULL) AS CacheWrite1hTokens,
    ifNull(integer('output_tokens'), 0) AS OutputTokens,
    if(thing = 'call', toFloat64OrNull(a['ttft_ms']), NULL) AS TimeToFirstTokenMs,
    if(thing = 'call', toUInt32OrNull(a['attempt']), NULL) AS Attempts,
    if(thing = 'execution', toUInt8(NOT failed), NULL) AS Success,
    TraceId,
    if(thing IN ('node', 'call', 'tool', 'interaction'), SpanId, '') AS SpanId,
    if(thing = 'call' AND a['speed'] NOT IN ('', 'normal', 'standard'), a['speed'], '') AS ServiceTier,
    version AS ClientVersion,
    'event' AS TimeSource,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM
(
    SELECT *,
        arrayJoin(arrayFilter(x -> x != '', [
            -- Where there is no id, the thing stands under the span's own id.
            if((SpanName = 'claude_code.llm_request' AND SpanAttributes['request_id'] = '') OR (SpanName = 'claude_code.tool' AND SpanAttributes['tool_use_id'] = ''), '', 'node'),
            if(SpanName = 'claude_code.llm_request', 'call', ''),
            if(SpanName = 'claude_code.tool', 'tool', ''),
            if(SpanName = 'claude_code.tool.execution' AND SpanAttributes['tool_use_id'] != '', 'execution', ''),
            -- The first prompt begins the main agent's work, the last one ends it.
            if(SpanName = 'claude_code.interaction', 'asked', ''),
            if(SpanName = 'claude_code.interaction', 'interaction', ''),
            if(SpanName = 'claude_code.llm_request', 'agent', ''),
            if(SpanName = 'claude_code.tool', 'tool_agent', ''),
            -- A sub-agent's last word: it is done unless it does something later.
            if(SpanName = 'claude_code.llm_request' AND SpanAttributes['agent_id'] != '' AND SpanAttributes['stop_reason'] IN ('end_turn', 'stop_sequence', 'max_tokens', 'refusal'), 'turn', '')
        ])) AS thing
    FROM @database@.otel_traces
    WHERE (@window@) AND ScopeName = 'com.anthropic.claude_code.tracing'
)
