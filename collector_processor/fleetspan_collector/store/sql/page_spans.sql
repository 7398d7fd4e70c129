-- Spans of some traces, as rows of a timeline.
-- params:  traces Array(String), first, last Int64 (Unix seconds), limit UInt32
-- returns: span_id, parent, name, start_ns, duration_ns, failed, message, trace_id
SELECT
    SpanId AS span_id,
    ParentSpanId AS parent,
    toString(SpanName) AS name,
    toUnixTimestamp64Nano(Timestamp) AS start_ns,
    Duration AS duration_ns,
    StatusCode IN ('Error', 'STATUS_CODE_ERROR') AS failed,
    StatusMessage AS message,
    TraceId AS trace_id
FROM @database@.otel_traces
WHERE Timestamp BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64}) AND TraceId IN {traces:Array(String)}
ORDER BY start_ns, span_id
LIMIT {limit:UInt32}
