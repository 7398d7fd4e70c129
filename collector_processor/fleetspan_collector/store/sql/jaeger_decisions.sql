-- What control decided of spans: log events that name a span, oldest first.
-- params:  ids Array(String), first_ns, last_ns Int64
-- returns: trace_id, span_id, at_ns, name, names, values, said
SELECT
    TraceId AS trace_id, SpanId AS span_id, toUnixTimestamp64Nano(Timestamp) AS at_ns,
    EventName AS name, mapKeys(LogAttributes) AS names, mapValues(LogAttributes) AS values,
    Body AS said
FROM @database@.otel_logs
WHERE TraceId IN {ids:Array(String)} AND SpanId != '' AND ScopeName = 'fleetspan.control'
    AND Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
ORDER BY at_ns
LIMIT 1000 BY trace_id
