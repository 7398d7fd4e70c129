-- Evidence of Claude Code's transcripts: calls once each, tool calls, agents.
-- tokens:  lines (a table expression with the columns of claude_transcript_lines),
--          window (a condition on it), rules_version
-- returns: the columns of evidence that are named here
--
-- A reply is one line per content block, each with the usage of the whole, older and
-- sub-agents' files with parts of it: the fullest line stands for the call. Lines that
-- a fork copied belong to the session that made them. A result alone is no tool call:
-- a fork's copies of results name no session.
WITH
    if(owner != '', owner, session) AS agent,
    JSONExtractString(Body, 'requestId') AS request,
    JSONExtractString(Body, 'message', 'id') AS message,
    (name -> ifNull(JSONExtract(Body, 'message', 'usage', name, 'Nullable(Int64)'), 0)) AS used,
    JSONExtract(Body, 'message', 'usage', 'cache_creation', 'ephemeral_5m_input_tokens', 'Nullable(Int64)') AS write_5m,
    JSONExtract(Body, 'message', 'usage', 'cache_creation', 'ephemeral_1h_input_tokens', 'Nullable(Int64)') AS write_1h,
    JSONExtractString(Body, 'message', 'usage', 'speed') AS speed,
    JSONExtractString(Body, 'message', 'usage', 'service_tier') AS tier,
    toUInt64(greatest(toUnixTimestamp64Nano(Timestamp), 0)) AS at_ns,
    JSONExtractString(Body, 'toolUseResult', 'agentId') AS spawned,
    JSONExtractString(Body, 'toolUseResult', 'status') AS spawned_status,
    JSONExtractString(block, 'id') AS use_id,
    JSONExtractString(block, 'tool_use_id') AS result_id,
    if(JSONHas(block, 'is_error'), JSONExtractBool(block, 'is_error'), 0) AS is_error,
    thing IN ('first', 'last', 'turn', 'meta', 'spawn', 'prompt') AS is_agent,
    thing IN ('use', 'result') AS is_tool
SELECT
    Tenant,
    if(thing = 'copied', FileSessionId, session) AS GroupKey,
    multiIf(
        thing IN ('call', 'copied'), if(request != '', request, message),
        thing = 'use', use_id,
        thing = 'result', result_id,
        thing = 'spawn', spawned,
        thing = 'cost', 'cost-state',
        agent) AS Key,
    concat('transcript/', thing) AS Source,
    transform(thing, ['call', 'meta', 'spawn', 'result', 'use'], [30, 40, 37, 21, 11], 25) AS SourceRank,
    multiIf(
        -- The fullest, then the first.
        thing IN ('call', 'copied'), bitShiftLeft(toUInt64(least(greatest(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens, 0), 2147483647)), 31) + 2147483647 - bitShiftRight(at_ns, 10) % 2147483648,
        thing IN ('first', 'use', 'prompt', 'spawn'), 9223372036854775807 - at_ns,
        thing = 'meta', bitShiftLeft(toUInt64(JSONExtractBool(Body, 'finished')), 62) + bitShiftRight(cityHash64(Body), 2),
        thing = 'cost', toUInt64(JSONExtractFloat(Body, 'totalCostUSD') * 1000000000),
        at_ns) AS Rank,
    multiIf(thing = 'call', 'call', thing = 'copied', 'copied', is_tool, 'tool', is_agent, 'agent', 'other') AS Kind,
    GroupKey AS RunId,
    -- Older files keep sub-agents' lines in the main file and do not say whose they are.
    multiIf(thing = 'spawn', spawned, thing IN ('cost', 'copied'), '', owner = '' AND JSONExtractBool(Body, 'isSidechain'), '', agent) AS AgentId,
    multiIf(
        thing = 'meta', if(JSONExtractString(Body, 'parentAgentId') != '', JSONExtractString(Body, 'parentAgentId'), session),
        thing = 'spawn', agent,
        '') AS ParentAgentId,
    multiIf(thing = 'meta', JSONExtractString(Body, 'toolUseId'), thing = 'spawn', result_id, '') AS SpawnToolCallId,
    GroupKey AS SessionId,
    arrayElement(splitByRegexp('[\\\\/]+', trimRight(JSONExtractString(Body, 'cwd'), '/\\')), -1) AS Project,
    'claude-code' AS Service,
    multiIf(thing = 'use', JSONExtractString(block, 'name'), NOT is_agent, '', Type != '' AND Type != 'main', Type, owner = '' AND thing NOT IN ('spawn', 'meta'), 'Claude Code', '') AS Name,
    multiIf(
        thing = 'meta', JSONExtractString(Body, 'agentType'),
        thing = 'spawn', JSONExtractString(Body, 'toolUseResult', 'agentType'),
        is_agent AND owner = '', 'main',
        '') AS Type,
    multiIf(
        thing = 'meta', JSONExtractString(Body, 'description'),
        thing = 'prompt', if(JSONExtractString(Body, 'message', 'content') != '', JSONExtractString(Body, 'message', 'content'), JSONExtractString(Body, 'message', 'content', 1, 'text')),
        '') AS Task,
    multiIf(thing IN ('call', 'copied', 'turn'), JSONExtractString(Body, 'message', 'model'), thing = 'meta', JSONExtractString(Body, 'model'), '') AS Model,
    if(thing IN ('call', 'copied'), 'anthropic', '') AS Provider,
    if(thing = 'call', message, '') AS ResponseId,
    multiIf(thing = 'use', use_id, thing = 'result', result_id, '') AS ToolCallId,
    if(thing = 'call', request, '') AS RequestId,
    if(thing = 'use', lower(hex(sipHash64(JSONExtractRaw(block, 'input')))), '') AS ArgumentsHash,
    if(thing = 'result', lower(hex(sipHash64(JSONExtractRaw(block, 'content')))), '') AS ResultHash,
    if(thing = 'call', JSONExtractString(Body, 'message', 'stop_reason'), '') AS FinishReason,
    if(thing = 'result' AND is_error, 'tool_error', '') AS Error,
    multiIf(
        thing IN ('first', 'last', 'use', 'prompt'), 'running',
        thing = 'meta', if(JSONExtractBool(Body, 'finished'), 'ok', 'running'),
        thing = 'spawn', if(spawned_status = 'completed', 'ok', 'running'),
        is_error, 'error',
        'ok') AS Status,
    -- A fork has copies of the prompts before it, so these tell of no start.
    if(thing IN ('meta', 'result', 'spawn', 'prompt'), toDateTime64(0, 9), Timestamp) AS StartTime,
    if(thing IN ('turn', 'result') OR (thing = 'spawn' AND spawned_status = 'completed'), Timestamp, NULL) AS EndTime,
    Timestamp AS LastActivity,
    thing IN ('call', 'copied') AS UsageKnown,
    used('input_tokens') AS InputTokens,
    used('cache_read_input_tokens') AS CacheReadTokens,
    greatest(used('cache_creation_input_tokens'), ifNull(write_5m, 0) + ifNull(write_1h, 0)) AS CacheWriteTokens,
    if(CacheWriteTokens = 0, 0, write_5m) AS CacheWrite5mTokens,
    if(CacheWriteTokens = 0, 0, write_1h) AS CacheWrite1hTokens,
    used('output_tokens') AS OutputTokens,
    ifNull(JSONExtract(Body, 'message', 'usage', 'output_tokens_details', 'thinking_tokens', 'Nullable(Int64)'), 0) AS ReasoningTokens,
    if(thing = 'cost', JSONExtract(Body, 'totalCostUSD', 'Nullable(Float64)'), NULL) AS ReportedCostUsd,
    if(thing = 'result', length(JSONExtractRaw(block, 'content')), NULL) AS ResultBytes,
    if(thing = 'result', toUInt8(NOT is_error), NULL) AS Success,
    if(thing IN ('call', 'copied'), arrayStringConcat(arrayFilter(x -> x NOT IN ('', 'normal', 'standard', 'not_available', 'global'), [speed, tier, JSONExtractString(Body, 'message', 'usage', 'inference_geo')]), '+'), '') AS ServiceTier,
    if(thing IN ('call', 'copied'), JSONExtract(Body, 'message', 'usage', 'server_tool_use', 'web_search_requests', 'Nullable(Int64)'), NULL) AS WebSearches,
    Version AS ClientVersion,
    'event' AS TimeSource,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM
(
    SELECT *,
        arrayJoin(if(
            thing IN ('use', 'result', 'spawn'),
            arrayFilter(b -> JSONExtractString(b, 'type') = if(thing = 'use', 'tool_use', 'tool_result'), JSONExtractArrayRaw(Body, 'message', 'content')),
            [''])) AS block
    FROM
    (
        SELECT *,
            AgentId AS owner,
            SessionId AS session,
            arrayJoin(arrayFilter(x -> x != '', [
                -- Lines that the client wrote itself have a model of that name.
                if(Type = 'assistant' AND JSONHas(Body, 'message', 'usage') AND JSONExtractString(Body, 'message', 'model') != '<synthetic>' AND (JSONExtractString(Body, 'requestId') != '' OR JSONExtractString(Body, 'message', 'id') != ''), 'call', ''),
                -- What a forked session cost before it began, as its own total includes it.
                if(Type = 'assistant' AND SessionId != FileSessionId AND JSONHas(Body, 'message', 'usage') AND JSONExtractString(Body, 'requestId') != '', 'copied', ''),
                if(Type = 'assistant' AND position(Body, '"tool_use"') > 0, 'use', ''),
                if(Type = 'user' AND position(Body, '"tool_result"') > 0, 'result', ''),
                if(Type = 'user' AND JSONExtractString(Body, 'toolUseResult', 'agentId') != '', 'spawn', ''),
                if(Type = 'assistant' AND JSONExtractString(Body, 'message', 'stop_reason') IN ('end_turn', 'stop_sequence', 'max_tokens', 'refusal'), 'turn', ''),
                if(Type = 'user' AND AgentId = '' AND SessionId = FileSessionId AND NOT JSONExtractBool(Body, 'isMeta') AND position(Body, '"tool_result"') = 0
                    AND NOT JSONExtractBool(Body, 'isCompactSummary') AND JSONExtractString(Body, 'promptSource') != 'system', 'prompt', ''),
                if(Type IN ('assistant', 'queue-operation', 'api-request') OR (Type = 'user' AND AgentId != ''), 'first', ''),
                if(Type IN ('assistant', 'user'), 'last', ''),
                if(endsWith(Path, '.meta.json'), 'meta', ''),
                if(Type = 'cost-state' AND SessionId = FileSessionId, 'cost', '')
            ])) AS thing
        FROM @lines@
        WHERE (@window@) AND SessionId != ''
    )
)
