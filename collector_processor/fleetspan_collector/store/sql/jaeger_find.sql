-- Traces that have a span like this, the one with the newest of them first.
-- tokens:  database, spans (conditions on a span)
-- params:  first_ns, last_ns Int64, limit UInt32, and those of the conditions
-- returns: trace_id, latest_ns Int64
SELECT
    TraceId AS trace_id,
    toUnixTimestamp64Nano(max(Timestamp)) AS latest_ns
FROM @database@.otel_traces
WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
    AND @spans@
GROUP BY TraceId
ORDER BY latest_ns DESC, trace_id
LIMIT {limit:UInt32}
