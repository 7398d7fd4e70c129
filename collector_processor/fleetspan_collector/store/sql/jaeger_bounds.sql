-- First and last second of some traces.
-- params:  ids Array(String)
-- returns: trace_id, first_s, last_s Int64
SELECT
    TraceId AS trace_id,
    toInt64(toUnixTimestamp(min(Start))) AS first_s,
    toInt64(toUnixTimestamp(max(End))) AS last_s
FROM @database@.otel_traces_trace_id_ts
WHERE TraceId IN {ids:Array(String)}
GROUP BY TraceId
