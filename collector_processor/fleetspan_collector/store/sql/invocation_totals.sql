-- What the programs of one `fleetspan run` used: one row.
-- tokens:  database, invocation (its id, quoted), since (when it began, UTC)
-- returns: spans, and sums over the calls and tool calls that began since then; a sum is
--          NULL when nobody knows a part of it, cost_usd when no call has a price
--
-- By trace; Claude Code's log events name sessions instead. A call without a price
-- counts as unpriced unless it failed and used nothing.
WITH
@invocation_parts@
SELECT
    (SELECT count() FROM @database@.otel_traces
     WHERE Timestamp >= since AND ResourceAttributes['fleetspan.invocation.id'] = '@invocation@') AS spans,
    calls.*,
    tools.*
FROM (
    SELECT
        count() AS llm_calls,
        sum(CostUsd) AS cost_usd,
        countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL AND OutputTokens IS NULL)) AS unpriced_calls,
        arraySort(groupUniqArrayIf(5)(Model, CostUsd IS NULL AND Model != '')) AS unpriced_models,
        sum(InputTokens) AS input_tokens,
        sum(CacheReadTokens) AS cache_read_tokens,
        sum(CacheWriteTokens) AS cache_write_tokens,
        sum(OutputTokens) AS output_tokens,
        countIf(Error != '') AS failed_calls,
        arraySort(groupUniqArrayIf(3)(substring(Error, 1, 60), Error != '')) AS call_errors
    FROM @database@.llm_calls
    WHERE StartTime >= since AND (TraceId IN traces OR SessionId IN sessions)
) AS calls
CROSS JOIN (
    SELECT
        count() AS tool_calls,
        countIf(Error != '' OR Success = 0) AS failed_tools,
        arraySort(groupUniqArrayIf(3)(Tool, Error != '' OR Success = 0)) AS failed_tool_names
    FROM @database@.tool_calls
    WHERE StartTime >= since AND (TraceId IN traces OR SessionId IN sessions)
) AS tools
