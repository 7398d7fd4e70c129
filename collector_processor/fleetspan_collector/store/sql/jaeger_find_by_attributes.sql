-- Traces that have a span like this, the one with the newest of them first.
-- Attributes of spans and resources have indexes, those of events have none: what is
-- found without looking at events is found apart, or no index would be used.
-- tokens:  database, spans (conditions on a span), without_events (what its attributes
--          are, or its resource's), in_events (some of it is one of an event's),
--          everywhere (what the attributes of any of the three are)
-- params:  first_ns, last_ns Int64, limit UInt32, and those of the conditions
-- returns: trace_id, latest_ns Int64
SELECT
    trace_id,
    toUnixTimestamp64Nano(max(at)) AS latest_ns
FROM
(
    SELECT TraceId AS trace_id, Timestamp AS at
    FROM @database@.otel_traces
    WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
        AND @spans@ AND @without_events@
    UNION ALL
    SELECT TraceId AS trace_id, Timestamp AS at
    FROM @database@.otel_traces
    PREWHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
        AND @spans@ AND @in_events@
    WHERE @everywhere@
)
GROUP BY trace_id
ORDER BY latest_ns DESC, trace_id
LIMIT {limit:UInt32}
