-- Evidence of the spans of a window, whatever convention they follow: one row per span,
-- typed, under one set of names. The names are in `dialects/`; a fact is looked up by
-- its number (`@fact_...@`), the best name of each having been sorted to the front.
-- tokens:  database, window (a condition on otel_traces), rules_version, rate_limited (a
--          regular expression); from `dialects`:
--          names, codes, json_names, json_paths, json_codes, json_code, kind_values,
--          kinds, span_names, span_kinds, excludes_cache, not_providers,
--          provider_suffixes, runs_without_node, milliseconds, fact_...
-- returns: the columns of evidence that are named here
--
-- Tokens: input that includes cached tokens is reduced by them; a value smaller than the
-- cached parts cannot include them, so it is taken as excluding them. A source that
-- reports usage and names no cached tokens has none. Of the two lifetimes of cache
-- writes, one that is not named has what the other leaves of all writes; with none named
-- the split stays unknown. What an agent adds up over its calls is never a call's.
--
-- Errors: the type, for a message may differ each time. A type that says nothing gives way
-- to the message; one that does not tell a rate limit, where the message does, has those
-- words of it after it: several clients have one class for all that a provider refuses.
-- Claude Code's own spans are read by `normalise_claude_spans.sql`.
WITH
    (x -> toInt64OrNull(a[x])) AS integer,
    (x -> toFloat64OrNull(a[x])) AS number,
    if(a[@fact_kind@] != '', transform(a[@fact_kind@], @kind_values@, @kinds@, 'other'), transform(SpanName, @span_names@, @span_kinds@, 'other')) AS stated_kind,
    a[@fact_provider@] AS stated_provider,
    a[@fact_model@] AS stated_model,
    a[@fact_success@] AS stated_success,
    -- As JSON without blanks, where it is JSON: the same call has the same hash.
    if(startsWith(a[@fact_arguments@], '{'), JSONExtractRaw(a[@fact_arguments@]), a[@fact_arguments@]) AS arguments,
    StatusCode IN ('Error', 'STATUS_CODE_ERROR') OR a[@fact_level@] = 'ERROR' AS failed,
    a[@fact_error_type@] AS error_type,
    if(StatusMessage != '', StatusMessage, a[@fact_status_message@]) AS message,
    -- The words alone: a message may have the id of its request, and no two are alike.
    extract(message, '@rate_limited@') AS limited,
    integer(@fact_input_tokens@) AS all_input,
    integer(@fact_input_tokens_alone@) AS input_alone,
    coalesce(integer(@fact_output_tokens@), integer(@fact_output_tokens_alone@) + ReasoningTokens) AS output,
    coalesce(integer(@fact_cache_read_tokens@), 0) AS cache_read,
    integer(@fact_cache_write_5m_tokens@) AS write_5m,
    integer(@fact_cache_write_1h_tokens@) AS write_1h,
    coalesce(integer(@fact_cache_write_tokens@), ifNull(write_5m, 0) + ifNull(write_1h, 0)) AS cache_write,
    cache_read + cache_write AS cached,
    (ScopeName, Provider) IN (@excludes_cache@) AS excludes_cache,
    coalesce(input_alone, if(ifNull(all_input, 0) >= cached AND NOT excludes_cache, ifNull(all_input, 0) - cached, ifNull(all_input, 0))) AS input
SELECT
    Tenant,
    TraceId AS GroupKey,
    SpanId AS Key,
    'span' AS Source,
    20 AS SourceRank,
    bitShiftLeft(toUInt64(least(greatest(input + cached + ifNull(output, 0), 0), 2147483647)), 32) + bitAnd(content, 4294967295) AS Rank,
    if(stated_kind = 'agent' AND ScopeName IN (@runs_without_node@) AND a[@fact_node_id@] = '', 'run', stated_kind) AS Kind,
    ParentSpanId AS ParentKey,
    a[@fact_run_id@] AS RunId,
    multiIf(a[@fact_agent_id@] != '', a[@fact_agent_id@], Kind != 'agent', '', a[@fact_node_id@] != '', a[@fact_node_id@], SpanId) AS AgentId,
    a[@fact_parent_agent_id@] AS ParentAgentId,
    if(a[@fact_spawn_tool_call_id@] = '' AND Kind = 'agent', a[@fact_tool_call_id@], a[@fact_spawn_tool_call_id@]) AS SpawnToolCallId,
    a[@fact_session_id@] AS SessionId,
    if(ResourceAttributes['deployment.environment.name'] != '', ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) AS Environment,
    ResourceAttributes['fleetspan.project'] AS Project,
    if(a[@fact_user_id@] != '', a[@fact_user_id@], ResourceAttributes['user.id']) AS User,
    ServiceName AS Service,
    ResourceAttributes['fleetspan.process.id'] AS Process,
    multiIf(
        Kind = 'agent' AND a[@fact_agent_name@] != '', a[@fact_agent_name@],
        Kind = 'run' AND a[@fact_workflow_name@] != '', a[@fact_workflow_name@],
        Kind = 'tool' AND a[@fact_tool_name@] != '', a[@fact_tool_name@],
        Kind != 'call' AND a[@fact_thing_name@] != '', a[@fact_thing_name@],
        SpanName) AS Name,
    a[@fact_agent_type@] AS Type,
    a[@fact_agent_task@] AS Task,
    -- LiteLLM's names begin with the provider.
    if(position(stated_model, '/') > 0 AND Provider != '' AND startsWith(stated_model, concat(Provider, '/')), substring(stated_model, length(Provider) + 2), stated_model) AS Model,
    multiIf(stated_provider IN (@not_providers@), '', position(stated_provider, '.') > 0, replaceRegexpOne(stated_provider, '\\.(@provider_suffixes@)$', ''), stated_provider) AS Provider,
    a[@fact_response_id@] AS ResponseId,
    if(Kind = 'tool', a[@fact_tool_call_id@], '') AS ToolCallId,
    multiIf(a[@fact_arguments_hash@] != '', a[@fact_arguments_hash@], Kind = 'tool' AND arguments != '', lower(hex(sipHash64(arguments))), '') AS ArgumentsHash,
    multiIf(a[@fact_result_hash@] != '', a[@fact_result_hash@], Kind = 'tool' AND a[@fact_result@] != '', lower(hex(sipHash64(a[@fact_result@]))), '') AS ResultHash,
    if(startsWith(a[@fact_finish_reason@], '['), arrayElement(JSONExtract(a[@fact_finish_reason@], 'Array(String)'), 1), a[@fact_finish_reason@]) AS FinishReason,
    multiIf(
        error_type = '' AND NOT failed, '',
        error_type IN ('', '_OTHER'), multiIf(message != '', substring(message, 1, 200), error_type != '', error_type, 'error'),
        limited != '' AND NOT match(error_type, '@rate_limited@'), concat(error_type, ': ', limited),
        error_type) AS Error,
    if(failed, 'error', 'ok') AS Status,
    Timestamp AS StartTime,
    addNanoseconds(Timestamp, Duration) AS EndTime,
    EndTime AS LastActivity,
    all_input IS NOT NULL OR input_alone IS NOT NULL OR output IS NOT NULL AS UsageKnown,
    input AS InputTokens,
    cache_read AS CacheReadTokens,
    cache_write AS CacheWriteTokens,
    if(cache_write = 0, 0, if(write_1h IS NULL AND write_5m IS NULL, NULL, ifNull(write_5m, greatest(cache_write - write_1h, 0)))) AS CacheWrite5mTokens,
    if(cache_write = 0, 0, if(write_1h IS NULL AND write_5m IS NULL, NULL, ifNull(write_1h, greatest(cache_write - write_5m, 0)))) AS CacheWrite1hTokens,
    ifNull(output, 0) AS OutputTokens,
    ifNull(integer(@fact_reasoning_tokens@), 0) AS ReasoningTokens,
    coalesce(number(@fact_cost_usd@), nullIf(number(@fact_cost_usd_or_zero@), 0)) AS ReportedCostUsd,
    multiIf(
        a[@fact_first_token_s@] != '', number(@fact_first_token_s@) * if(ScopeName IN (@milliseconds@), 1, 1000),
        a[@fact_first_token_ms@] != '', number(@fact_first_token_ms@),
        a[@fact_first_token_at@] != '', (toUnixTimestamp64Nano(parseDateTime64BestEffortOrNull(trim(BOTH '"' FROM a[@fact_first_token_at@]), 9, 'UTC')) - toUnixTimestamp64Nano(Timestamp)) / 1e6,
        NULL) AS TimeToFirstTokenMs,
    toUInt32OrNull(a[@fact_attempts@]) AS Attempts,
    multiIf(a[@fact_result_bytes@] != '', integer(@fact_result_bytes@), Kind = 'tool' AND a[@fact_result@] != '', length(a[@fact_result@]), NULL) AS ResultBytes,
    number(@fact_permission_wait_ms@) AS PermissionWaitMs,
    if(Kind != 'tool', NULL, multiIf(stated_success IN ('true', 'success'), 1, stated_success IN ('false', 'error', 'failure'), 0, failed, 0, 1)) AS Success,
    TraceId,
    SpanId,
    a[@fact_request_id@] AS RequestId,
    a[@fact_service_tier@] AS ServiceTier,
    '' AS TimeSource,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM
(
    SELECT
        Tenant, TraceId, SpanId, ParentSpanId, SpanName, ServiceName, ScopeName, ResourceAttributes, Timestamp, Duration, StatusCode, StatusMessage, ReceivedAt,
        cityHash64(SpanName, ParentSpanId, Timestamp, Duration, StatusCode, SpanAttributes) AS content,
        arrayMap(name -> transform(name, @names@, @codes@, toUInt16(65535)), mapKeys(SpanAttributes)) AS named,
        -- Members of attributes that hold JSON come after the attributes, where there is
        -- JSON: elsewhere there is nothing to map.
        if(has(named, @json_code@), @json_paths@, CAST([], 'Array(String)')) AS paths,
        arrayConcat(mapValues(SpanAttributes), arrayMap((name, path) -> trim(BOTH '"' FROM arrayFold((document, key) -> JSONExtractRaw(document, key), splitByChar('.', path), SpanAttributes[name])), arrayResize(@json_names@, length(paths)), paths)) AS stated,
        -- What is empty says nothing.
        arrayMap((code, value) -> if(value = '', 65535, code), arrayConcat(named, arrayResize(@json_codes@, length(paths))), stated) AS found,
        -- A code is a fact's number and the rank of a name, in 6 bits: the best name of a
        -- fact comes first, and a look-up finds the first.
        mapFromArrays(arrayMap(code -> bitShiftRight(code, 6), arraySort(found)), arraySort((value, code) -> code, stated, found)) AS a
    FROM @database@.otel_traces
    WHERE (@window@) AND ScopeName != 'com.anthropic.claude_code.tracing'
)
