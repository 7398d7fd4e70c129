-- First and last second of each trace in a window, for readers of otel_traces_trace_id_ts.
-- tokens:  database, window (a condition on otel_traces)
-- returns: TraceId String, Start DateTime, End DateTime
SELECT
    TraceId,
    toDateTime(min(Timestamp)) AS Start,
    toDateTime(max(Timestamp)) AS End
FROM @database@.otel_traces
WHERE @window@
GROUP BY TraceId
