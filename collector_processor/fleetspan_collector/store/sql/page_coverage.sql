-- How much of what happened since a time is known.
-- params:  since Int64 (Unix seconds)
-- returns: runs, orphan_spans, unattributed_usd, llm_calls, unpriced_calls, unpriced_models,
--          calls_without_tokens, receipt_times, spans
SELECT
    runs.runs AS runs,
    runs.orphan_spans AS orphan_spans,
    runs.unattributed_usd AS unattributed_usd,
    calls.llm_calls AS llm_calls,
    calls.unpriced_calls AS unpriced_calls,
    calls.unpriced_models AS unpriced_models,
    calls.calls_without_tokens AS calls_without_tokens,
    (SELECT countIf(TimeSource = 'receipt') FROM @database@.tool_calls WHERE Bucket >= toDateTime({since:Int64})) AS receipt_times,
    (SELECT count() FROM @database@.otel_traces WHERE Timestamp >= toDateTime({since:Int64})) AS spans
FROM
(
    SELECT count() AS runs, sum(OrphanSpans) AS orphan_spans, sum(UnattributedUsd) AS unattributed_usd
    FROM @database@.runs
    WHERE Bucket >= toDateTime({since:Int64})
) AS runs
CROSS JOIN
(
    SELECT
        count() AS llm_calls,
        countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL)) AS unpriced_calls,
        arraySlice(groupUniqArrayIf(100)(toString(Model), CostUsd IS NULL AND Model != '' AND InputTokens IS NOT NULL), 1, 50) AS unpriced_models,
        countIf(InputTokens IS NULL AND Error = '') AS calls_without_tokens
    FROM @database@.llm_calls
    WHERE Bucket >= toDateTime({since:Int64})
) AS calls
