-- What some model calls answered, where content is captured.
-- tokens:  database, spans (a condition on Tenant, TraceId and SpanId), first, last (Unix
--          seconds that bound them), longest (characters)
-- returns: TraceId, SpanId, Text
SELECT
    TraceId,
    SpanId,
    substringUTF8(multiIf(
        SpanAttributes['gen_ai.output.messages'] != '', SpanAttributes['gen_ai.output.messages'],
        SpanAttributes['gen_ai.completion'] != '', SpanAttributes['gen_ai.completion'],
        SpanAttributes['output.value']), 1, @longest@) AS Text
FROM @database@.otel_traces
WHERE (@spans@)
    AND Timestamp BETWEEN toDateTime64(@first@, 9) AND toDateTime64(@last@ + 1, 9)
    AND Text != ''
LIMIT 1 BY TraceId, SpanId
