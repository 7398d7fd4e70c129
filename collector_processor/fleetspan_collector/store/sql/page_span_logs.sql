-- Log records that name a span, oldest first.
-- params:  trace_id, span_id String, first, last Int64 (Unix seconds), limit UInt32
-- returns: at_ns, name, body, names, values
SELECT
    toUnixTimestamp64Nano(Timestamp) AS at_ns,
    EventName AS name,
    Body AS body,
    mapKeys(LogAttributes) AS names,
    mapValues(LogAttributes) AS values
FROM @database@.otel_logs
WHERE TraceId = {trace_id:String} AND SpanId = {span_id:String}
    AND Timestamp BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
ORDER BY at_ns
LIMIT {limit:UInt32}
