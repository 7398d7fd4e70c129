-- Evidence of Claude Code's transcripts: calls once each, tool calls, agents.
-- tokens:  lines (a table expression with the columns of claude_transcript_lines),
--          window (a condition on it), rules_version
-- returns: the columns of evidence that are named here
--
-- A reply is one line per content block, each with the usage of the whole, older and
-- sub-agents' files with parts of it: the fullest line stands for the call. Lines that
-- a fork copied belong to the session that made them. A result alone is no tool call:
-- a fork's copies of results name no session.
--
-- Each line is parsed once (a look into the text per field costs four times as much), and
-- only small things are carried on from there.
WITH
    if(owner != '', owner, session) AS agent,
    tupleElement(thing, 1) AS what,
    tupleElement(thing, 2) AS block_id,
    tupleElement(thing, 3) AS block_name,
    tupleElement(thing, 4) AS block_hash,
    tupleElement(thing, 5) AS block_bytes,
    tupleElement(thing, 6) AS is_error,
    toUInt64(greatest(toUnixTimestamp64Nano(Timestamp), 0)) AS at_ns,
    what IN ('first', 'last', 'turn', 'failed', 'meta', 'spawn', 'prompt') AS is_agent,
    what IN ('use', 'result') AS is_tool,
    what IN ('call', 'copied') AS is_call
SELECT
    Tenant,
    if(what = 'copied', FileSessionId, session) AS GroupKey,
    multiIf(
        is_call, if(request != '', request, message),
        is_tool, block_id,
        what = 'spawn', spawned,
        what = 'cost', 'cost-state',
        agent) AS Key,
    concat('transcript/', what) AS Source,
    transform(what, ['call', 'meta', 'spawn', 'result', 'use'], [30, 40, 37, 21, 11], 25) AS SourceRank,
    multiIf(
        -- The fullest, then the first.
        is_call, bitShiftLeft(toUInt64(least(greatest(InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens, 0), 2147483647)), 31) + 2147483647 - bitShiftRight(at_ns, 10) % 2147483648,
        what IN ('first', 'use', 'prompt', 'spawn'), 9223372036854775807 - at_ns,
        what = 'meta', bitShiftLeft(toUInt64(finished), 62) + bitShiftRight(meta_hash, 2),
        what = 'cost', toUInt64(ifNull(total_usd, 0) * 1000000000),
        at_ns) AS Rank,
    multiIf(what = 'call', 'call', what = 'copied', 'copied', is_tool, 'tool', is_agent, 'agent', 'other') AS Kind,
    GroupKey AS RunId,
    -- Older files keep sub-agents' lines in the main file and do not say whose they are.
    multiIf(what = 'spawn', spawned, what IN ('cost', 'copied'), '', owner = '' AND is_sidechain, '', agent) AS AgentId,
    multiIf(
        what = 'meta', if(meta_parent != '', meta_parent, session),
        what = 'spawn', agent,
        '') AS ParentAgentId,
    multiIf(what = 'meta', meta_spawn, what = 'spawn', block_id, '') AS SpawnToolCallId,
    GroupKey AS SessionId,
    project AS Project,
    'claude-code' AS Service,
    multiIf(what = 'use', block_name, NOT is_agent, '', Type != '' AND Type != 'main', Type, owner = '' AND what NOT IN ('spawn', 'meta'), 'Claude Code', '') AS Name,
    multiIf(
        what = 'meta', meta_type,
        what = 'spawn', spawned_type,
        is_agent AND owner = '', 'main',
        '') AS Type,
    multiIf(what = 'meta', meta_task, what = 'prompt', prompt, '') AS Task,
    multiIf(is_call OR what = 'turn', model, what = 'meta', meta_model, '') AS Model,
    if(is_call, 'anthropic', '') AS Provider,
    if(what = 'call', message, '') AS ResponseId,
    if(is_tool, block_id, '') AS ToolCallId,
    if(what = 'call', request, '') AS RequestId,
    if(what = 'use', block_hash, '') AS ArgumentsHash,
    if(what = 'result', block_hash, '') AS ResultHash,
    if(what = 'call', stop_reason, '') AS FinishReason,
    multiIf(what = 'result' AND is_error, 'tool_error', what = 'failed', 'api_error', '') AS Error,
    multiIf(
        what IN ('first', 'last', 'use', 'prompt'), 'running',
        what = 'meta', if(finished, 'ok', 'running'),
        what = 'spawn', if(spawned_status = 'completed', 'ok', 'running'),
        what = 'failed' OR (what = 'result' AND is_error), 'error',
        'ok') AS Status,
    -- A fork has copies of the prompts before it, so these tell of no start.
    if(what IN ('meta', 'result', 'spawn', 'prompt'), toDateTime64(0, 9), Timestamp) AS StartTime,
    if(what IN ('turn', 'failed', 'result') OR (what = 'spawn' AND spawned_status = 'completed'), Timestamp, NULL) AS EndTime,
    Timestamp AS LastActivity,
    is_call AS UsageKnown,
    input_tokens AS InputTokens,
    cache_read AS CacheReadTokens,
    greatest(cache_write, ifNull(write_5m, 0) + ifNull(write_1h, 0)) AS CacheWriteTokens,
    if(CacheWriteTokens = 0, 0, write_5m) AS CacheWrite5mTokens,
    if(CacheWriteTokens = 0, 0, write_1h) AS CacheWrite1hTokens,
    output_tokens AS OutputTokens,
    thinking_tokens AS ReasoningTokens,
    if(what = 'cost', total_usd, NULL) AS ReportedCostUsd,
    if(what = 'result', block_bytes, NULL) AS ResultBytes,
    if(what = 'result', toUInt8(NOT is_error), NULL) AS Success,
    if(is_call, tier, '') AS ServiceTier,
    if(is_call, web_searches, NULL) AS WebSearches,
    Version AS ClientVersion,
    'event' AS TimeSource,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM
(
    WITH
        tupleElement(said, 'message') AS reply,
        tupleElement(reply, 'usage') AS used,
        tupleElement(used, 'cache_creation') AS lifetimes,
        tupleElement(said, 'toolUseResult') AS outcome,
        line_type = 'assistant' AND notEmpty(message) AND model != '<synthetic>' AND tupleElement(used, 'output_tokens') IS NOT NULL AS answers,
        arrayFilter(b -> tupleElement(b, 'type') = 'tool_use', tupleElement(reply, 'content')) AS uses,
        arrayFilter(b -> tupleElement(b, 'type') = 'tool_result', tupleElement(reply, 'content')) AS results,
        ('', '', '', toInt64(0), toUInt8(0)) AS no_block
    SELECT
        Tenant, FileSessionId, session, owner, Timestamp, Version, ReceivedAt, prompt, meta_hash,
        tupleElement(said, 'requestId') AS request,
        tupleElement(reply, 'id') AS message,
        tupleElement(reply, 'model') AS model,
        tupleElement(reply, 'stop_reason') AS stop_reason,
        tupleElement(said, 'isSidechain') AS is_sidechain,
        arrayElement(splitByRegexp('[\\\\/]+', trimRight(tupleElement(said, 'cwd'), '/\\')), -1) AS project,
        ifNull(tupleElement(used, 'input_tokens'), 0) AS input_tokens,
        ifNull(tupleElement(used, 'cache_read_input_tokens'), 0) AS cache_read,
        ifNull(tupleElement(used, 'cache_creation_input_tokens'), 0) AS cache_write,
        tupleElement(lifetimes, 'ephemeral_5m_input_tokens') AS write_5m,
        tupleElement(lifetimes, 'ephemeral_1h_input_tokens') AS write_1h,
        ifNull(tupleElement(used, 'output_tokens'), 0) AS output_tokens,
        ifNull(tupleElement(tupleElement(used, 'output_tokens_details'), 'thinking_tokens'), 0) AS thinking_tokens,
        tupleElement(tupleElement(used, 'server_tool_use'), 'web_search_requests') AS web_searches,
        arrayStringConcat(arrayFilter(x -> x NOT IN ('', 'normal', 'standard', 'not_available', 'global'), [tupleElement(used, 'speed'), tupleElement(used, 'service_tier'), tupleElement(used, 'inference_geo')]), '+') AS tier,
        tupleElement(outcome, 'agentId') AS spawned,
        tupleElement(outcome, 'agentType') AS spawned_type,
        tupleElement(outcome, 'status') AS spawned_status,
        tupleElement(said, 'finished') AS finished,
        tupleElement(said, 'parentAgentId') AS meta_parent,
        tupleElement(said, 'toolUseId') AS meta_spawn,
        tupleElement(said, 'agentType') AS meta_type,
        tupleElement(said, 'description') AS meta_task,
        tupleElement(said, 'model') AS meta_model,
        tupleElement(said, 'totalCostUSD') AS total_usd,
        arrayJoin(arrayConcat(
            -- Lines that the client wrote itself have a model of that name.
            if(answers AND (request != '' OR message != ''), [tupleConcat(tuple('call'), no_block)], []),
            -- What a forked session cost before it began, as its own total includes it.
            if(answers AND request != '' AND session != FileSessionId, [tupleConcat(tuple('copied'), no_block)], []),
            arrayMap(b -> ('use', tupleElement(b, 'id'), tupleElement(b, 'name'), lower(hex(sipHash64(tupleElement(b, 'input')))), toInt64(0), toUInt8(0)), if(line_type = 'assistant', uses, [])),
            arrayMap(b -> ('result', tupleElement(b, 'tool_use_id'), '', lower(hex(sipHash64(tupleElement(b, 'content')))), toInt64(length(tupleElement(b, 'content'))), toUInt8(tupleElement(b, 'is_error'))), if(line_type = 'user', results, [])),
            arrayMap(b -> ('spawn', tupleElement(b, 'tool_use_id'), '', '', toInt64(0), toUInt8(0)), if(line_type = 'user' AND spawned != '', results, [])),
            -- What the client wrote in place of an answer: the agent's turn ends with it.
            if(line_type = 'assistant' AND tupleElement(said, 'isApiErrorMessage'), [tupleConcat(tuple('failed'), no_block)], []),
            if(line_type = 'assistant' AND NOT tupleElement(said, 'isApiErrorMessage') AND stop_reason IN ('end_turn', 'stop_sequence', 'max_tokens', 'refusal'), [tupleConcat(tuple('turn'), no_block)], []),
            if(prompt != '' AND NOT tupleElement(said, 'isMeta') AND NOT tupleElement(said, 'isCompactSummary') AND tupleElement(said, 'promptSource') != 'system', [tupleConcat(tuple('prompt'), no_block)], []),
            if(line_type IN ('assistant', 'queue-operation', 'api-request') OR (line_type = 'user' AND owner != ''), [tupleConcat(tuple('first'), no_block)], []),
            if(line_type IN ('assistant', 'user'), [tupleConcat(tuple('last'), no_block)], []),
            if(is_meta, [tupleConcat(tuple('meta'), no_block)], []),
            if(line_type = 'cost-state' AND session = FileSessionId, [tupleConcat(tuple('cost'), no_block)], [])
        )) AS thing
    FROM
    (
        SELECT
            Tenant, FileSessionId, Timestamp, Version, ReceivedAt,
            SessionId AS session,
            AgentId AS owner,
            Type AS line_type,
            endsWith(Path, '.meta.json') AS is_meta,
            if(is_meta, cityHash64(Body), 0) AS meta_hash,
            if(
                Type = 'user' AND AgentId = '' AND SessionId = FileSessionId AND position(Body, '"tool_result"') = 0,
                leftUTF8(if(JSONExtractString(Body, 'message', 'content') != '', JSONExtractString(Body, 'message', 'content'), JSONExtractString(Body, 'message', 'content', 1, 'text')), 4000),
                '') AS prompt,
            JSONExtract(Body, 'Tuple(
                requestId String,
                isSidechain Bool,
                isMeta Bool,
                isCompactSummary Bool,
                isApiErrorMessage Bool,
                promptSource String,
                cwd String,
                agentType String,
                description String,
                toolUseId String,
                parentAgentId String,
                model String,
                finished Bool,
                totalCostUSD Nullable(Float64),
                toolUseResult Tuple(agentId String, agentType String, status String),
                message Tuple(
                    id String,
                    model String,
                    stop_reason String,
                    usage Tuple(
                        input_tokens Nullable(Int64),
                        cache_read_input_tokens Nullable(Int64),
                        cache_creation_input_tokens Nullable(Int64),
                        cache_creation Tuple(
                            ephemeral_5m_input_tokens Nullable(Int64),
                            ephemeral_1h_input_tokens Nullable(Int64)),
                        output_tokens Nullable(Int64),
                        output_tokens_details Tuple(thinking_tokens Nullable(Int64)),
                        server_tool_use Tuple(web_search_requests Nullable(Int64)),
                        speed String,
                        service_tier String,
                        inference_geo String),
                    content Array(Tuple(
                        type String,
                        id String,
                        name String,
                        tool_use_id String,
                        is_error Bool,
                        input String,
                        content String))))') AS said
        FROM @lines@
        WHERE (@window@) AND SessionId != ''
            AND (Type IN ('assistant', 'user', 'queue-operation', 'api-request', 'cost-state') OR endsWith(Path, '.meta.json'))
    )
)
