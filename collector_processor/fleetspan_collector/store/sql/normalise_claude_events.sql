-- Evidence of Claude Code's log events: calls with tokens, cache lifetimes and cost,
-- tool calls, and what both say of their agents.
-- tokens:  database, window (a condition on otel_logs), rules_version
-- returns: the columns of evidence that are named here
--
-- Events are written when a thing has ended: it began its duration earlier. The agent's
-- name may be 'custom' here, so that of any other feed goes before it.
WITH
    LogAttributes AS a,
    (x -> toInt64OrNull(a[x])) AS integer,
    a['session.id'] AS session,
    if(a['agent_id'] != '', a['agent_id'], session) AS agent,
    ResourceAttributes['service.version'] AS version,
    arrayMap(part -> toUInt32OrZero(part), splitByChar('.', version)) >= [2, 1, 145] AS names_parents,
    fromUnixTimestamp64Nano(toUnixTimestamp64Nano(Timestamp) - toInt64(ifNull(toFloat64OrNull(a['duration_ms']), 0) * 1000000)) AS began,
    toUInt64(toUnixTimestamp64Nano(Timestamp)) AS at_ns,
    cityHash64(EventName, Timestamp, a) AS content,
    EventName = 'api_error' AS is_error,
    EventName = 'tool_decision' AND a['decision'] = 'reject' AS rejected,
    thing IN ('first', 'last', 'request', 'completed', 'prompt') AS is_agent,
    thing IN ('decision', 'result') AS is_tool
SELECT
    Tenant,
    session AS GroupKey,
    multiIf(
        thing = 'call', if(a['request_id'] != '', a['request_id'], concat('event-', lower(hex(content)))),
        is_tool, a['tool_use_id'],
        agent) AS Key,
    concat('log/', thing) AS Source,
    multiIf(thing = 'call', if(is_error, 18, 40), thing = 'result', 22, rejected, 25, thing = 'decision', 14, 15) AS SourceRank,
    multiIf(
        thing = 'call', bitShiftLeft(toUInt64(least(greatest(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens, 0), 2147483647)), 31) + bitShiftRight(content, 33),
        thing IN ('first', 'prompt'), 9223372036854775807 - at_ns,
        is_agent, at_ns,
        bitShiftRight(content, 1)) AS Rank,
    multiIf(thing = 'call', 'call', is_tool, 'tool', 'agent') AS Kind,
    session AS RunId,
    agent AS AgentId,
    if(is_agent AND a['agent_id'] != '', if(a['parent_agent_id'] = '' AND names_parents, session, a['parent_agent_id']), '') AS ParentAgentId,
    -- With traces on, a request stands under the span of the tool that started its agent.
    if(is_agent AND a['agent_id'] != '' AND EventName = 'api_request', SpanId, '') AS ParentKey,
    session AS SessionId,
    if(ResourceAttributes['deployment.environment.name'] != '', ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) AS Environment,
    ResourceAttributes['fleetspan.project'] AS Project,
    multiIf(a['user.email'] != '', a['user.email'], a['user.account_uuid'] != '', a['user.account_uuid'], a['user.id']) AS User,
    ServiceName AS Service,
    multiIf(is_tool, a['tool_name'], NOT is_agent, '', a['agent_id'] = '', 'Claude Code', Type) AS Name,
    multiIf(NOT is_agent, '', a['agent_id'] = '', 'main', a['agent.name'] != '', a['agent.name'], a['agent_type']) AS Type,
    if(thing = 'prompt' AND a['prompt'] != '<REDACTED>', a['prompt'], '') AS Task,
    multiIf(thing IN ('call', 'request'), a['model'], thing = 'completed', a['final_model'], '') AS Model,
    if(thing = 'call', 'anthropic', '') AS Provider,
    if(is_tool, a['tool_use_id'], '') AS ToolCallId,
    if(thing = 'call', a['request_id'], '') AS RequestId,
    if(thing = 'result' AND a['tool_input'] != '', lower(hex(sipHash64(a['tool_input']))), '') AS ArgumentsHash,
    multiIf(
        thing = 'call' AND is_error, multiIf(a['status_code'] NOT IN ('', 'undefined'), a['status_code'], a['error'] != '', substring(a['error'], 1, 200), 'error'),
        thing = 'result' AND a['success'] = 'false', if(a['error_type'] != '', a['error_type'], 'error'),
        rejected, 'permission_denied',
        '') AS Error,
    multiIf(thing IN ('first', 'last', 'request', 'prompt'), 'running', Error != '', 'error', thing = 'decision', 'running', 'ok') AS Status,
    if(thing IN ('call', 'result', 'completed'), began, Timestamp) AS StartTime,
    if(thing IN ('call', 'result', 'completed') OR rejected, Timestamp, NULL) AS EndTime,
    Timestamp AS LastActivity,
    thing = 'call' AND integer('input_tokens') IS NOT NULL AS UsageKnown,
    ifNull(integer('input_tokens'), 0) AS InputTokens,
    ifNull(integer('cache_read_tokens'), 0) AS CacheReadTokens,
    ifNull(integer('cache_creation_tokens'), 0) AS CacheWriteTokens,
    if(CacheWriteTokens = 0, 0, integer('cache_creation_5m_tokens')) AS CacheWrite5mTokens,
    if(CacheWriteTokens = 0, 0, integer('cache_creation_1h_tokens')) AS CacheWrite1hTokens,
    ifNull(integer('output_tokens'), 0) AS OutputTokens,
    if(thing = 'call', toFloat64OrNull(a['cost_usd']), NULL) AS ReportedCostUsd,
    if(thing = 'call', toFloat64OrNull(a['ttft_ms']), NULL) AS TimeToFirstTokenMs,
    if(thing = 'call' AND is_error, toUInt32OrNull(a['attempt']), NULL) AS Attempts,
    if(thing = 'result', integer('tool_result_size_bytes'), NULL) AS ResultBytes,
    multiIf(thing = 'result', toUInt8(a['success'] != 'false'), rejected, 0, NULL) AS Success,
    TraceId,
    if(thing = 'call' AND a['speed'] NOT IN ('', 'normal', 'standard'), a['speed'], '') AS ServiceTier,
    version AS ClientVersion,
    'event' AS TimeSource,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM
(
    SELECT *,
        arrayJoin(arrayFilter(x -> x != '', [
            if(EventName IN ('api_request', 'api_error'), 'call', ''),
            if(EventName = 'api_request', 'request', ''),
            if(EventName = 'tool_decision' AND LogAttributes['tool_use_id'] != '', 'decision', ''),
            if(EventName = 'tool_result' AND LogAttributes['tool_use_id'] != '', 'result', ''),
            if(EventName = 'subagent_completed' AND LogAttributes['agent_id'] != '', 'completed', ''),
            if(EventName = 'user_prompt' AND NOT startsWith(LogAttributes['prompt'], '<task-notification>'), 'prompt', ''),
            if(EventName IN ('api_request', 'tool_decision', 'tool_result', 'user_prompt'), 'first', ''),
            if(EventName IN ('api_request', 'tool_decision', 'tool_result', 'user_prompt'), 'last', '')
        ])) AS thing
    FROM @database@.otel_logs
    WHERE (@window@) AND ScopeName = 'com.anthropic.claude_code.events' AND LogAttributes['session.id'] != ''
        AND EventName IN ('api_request', 'api_error', 'tool_decision', 'tool_result', 'subagent_completed', 'user_prompt')
)
