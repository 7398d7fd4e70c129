-- Evidence of the spans of a window: one row per span, typed, under one set of names.
-- Both generations of the OpenTelemetry GenAI conventions and Fleetspan's own names.
-- tokens:  database, window (a condition on otel_traces), rules_version
-- returns: the columns of evidence
--
-- Tokens: gen_ai.usage.input_tokens includes cached tokens; a value smaller than the
-- cached parts cannot, so it is taken as excluding them. A source that reports usage
-- and names no cached tokens has none; the split by lifetime stays unknown.
WITH
    SpanAttributes AS a,
    ((x, y) -> if(a[x] != '', a[x], a[y])) AS either,
    (x -> toInt64OrNull(a[x])) AS integer,
    a['gen_ai.operation.name'] AS operation,
    coalesce(integer('gen_ai.usage.input_tokens'), integer('gen_ai.usage.prompt_tokens')) AS all_input,
    coalesce(integer('gen_ai.usage.output_tokens'), integer('gen_ai.usage.completion_tokens')) AS output,
    coalesce(integer('gen_ai.usage.cache_read.input_tokens'), integer('gen_ai.usage.cache_read_input_tokens'), 0) AS cache_read,
    integer('fleetspan.usage.cache_write_5m.input_tokens') AS write_5m,
    integer('fleetspan.usage.cache_write_1h.input_tokens') AS write_1h,
    coalesce(
        integer('gen_ai.usage.cache_write.input_tokens'),
        integer('gen_ai.usage.cache_creation.input_tokens'),
        integer('gen_ai.usage.cache_creation_input_tokens'),
        ifNull(write_5m, 0) + ifNull(write_1h, 0)) AS cache_write,
    all_input IS NOT NULL OR output IS NOT NULL AS usage_known,
    if(ifNull(all_input, 0) >= cache_read + cache_write, ifNull(all_input, 0) - cache_read - cache_write, ifNull(all_input, 0)) AS input,
    cityHash64(SpanName, ParentSpanId, Timestamp, Duration, StatusCode, a) AS content
SELECT
    Tenant,
    TraceId AS GroupKey,
    SpanId AS Key,
    'span' AS Source,
    20 AS SourceRank,
    bitShiftLeft(toUInt64(least(greatest(input + cache_read + cache_write + ifNull(output, 0), 0), 2147483647)), 32) + bitAnd(content, 4294967295) AS Rank,
    transform(operation,
        ['invoke_workflow', 'invoke_agent', 'chat', 'text_completion', 'generate_content', 'embeddings', 'execute_tool'],
        ['run', 'agent', 'call', 'call', 'call', 'call', 'tool'], 'other') AS Kind,
    ParentSpanId AS ParentKey,
    a['fleetspan.run.id'] AS RunId,
    if(a['fleetspan.agent.id'] = '' AND Kind = 'agent', SpanId, a['fleetspan.agent.id']) AS AgentId,
    a['fleetspan.agent.parent_id'] AS ParentAgentId,
    a['fleetspan.spawn.tool_call_id'] AS SpawnToolCallId,
    a['gen_ai.conversation.id'] AS SessionId,
    if(ResourceAttributes['deployment.environment.name'] != '', ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) AS Environment,
    ResourceAttributes['fleetspan.project'] AS Project,
    if(a['user.id'] != '', a['user.id'], ResourceAttributes['user.id']) AS User,
    ServiceName AS Service,
    ResourceAttributes['fleetspan.process.id'] AS Process,
    multiIf(
        Kind = 'agent' AND a['gen_ai.agent.name'] != '', a['gen_ai.agent.name'],
        Kind = 'run' AND a['gen_ai.workflow.name'] != '', a['gen_ai.workflow.name'],
        Kind = 'tool' AND a['gen_ai.tool.name'] != '', a['gen_ai.tool.name'],
        SpanName) AS Name,
    a['fleetspan.agent.type'] AS Type,
    a['fleetspan.agent.task'] AS Task,
    either('gen_ai.response.model', 'gen_ai.request.model') AS Model,
    either('gen_ai.provider.name', 'gen_ai.system') AS Provider,
    a['gen_ai.response.id'] AS ResponseId,
    a['gen_ai.tool.call.id'] AS ToolCallId,
    a['fleetspan.tool.arguments_hash'] AS ArgumentsHash,
    a['fleetspan.tool.result_hash'] AS ResultHash,
    arrayElement(JSONExtract(a['gen_ai.response.finish_reasons'], 'Array(String)'), 1) AS FinishReason,
    multiIf(a['error.type'] != '', a['error.type'], StatusCode NOT IN ('Error', 'STATUS_CODE_ERROR'), '', StatusMessage != '', substring(StatusMessage, 1, 200), 'error') AS Error,
    if(StatusCode IN ('Error', 'STATUS_CODE_ERROR'), 'error', 'ok') AS Status,
    Timestamp AS StartTime,
    addNanoseconds(Timestamp, Duration) AS EndTime,
    EndTime AS LastActivity,
    usage_known AS UsageKnown,
    input AS InputTokens,
    cache_read AS CacheReadTokens,
    cache_write AS CacheWriteTokens,
    if(cache_write = 0, 0, if(write_1h IS NULL AND write_5m IS NULL, NULL, ifNull(write_5m, 0))) AS CacheWrite5mTokens,
    if(cache_write = 0, 0, if(write_1h IS NULL AND write_5m IS NULL, NULL, ifNull(write_1h, 0))) AS CacheWrite1hTokens,
    ifNull(output, 0) AS OutputTokens,
    ifNull(integer('gen_ai.usage.reasoning.output_tokens'), 0) AS ReasoningTokens,
    toFloat64OrNull(either('fleetspan.cost.usd', 'gen_ai.usage.cost')) AS ReportedCostUsd,
    toFloat64OrNull(a['gen_ai.response.time_to_first_chunk']) * 1000 AS TimeToFirstTokenMs,
    toUInt32OrNull(a['fleetspan.attempts']) AS Attempts,
    integer('fleetspan.tool.result_bytes') AS ResultBytes,
    toFloat64OrNull(a['fleetspan.permission_wait_ms']) AS PermissionWaitMs,
    if(Kind != 'tool', NULL, multiIf(a['fleetspan.success'] = 'true', 1, a['fleetspan.success'] = 'false', 0, StatusCode IN ('Error', 'STATUS_CODE_ERROR'), 0, 1)) AS Success,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM @database@.otel_traces
WHERE @window@
