-- When the first and the last span began.
-- returns: first_ns, last_ns Int64; 0 when there is none
SELECT
    toUnixTimestamp64Nano(min(Timestamp)) AS first_ns,
    toUnixTimestamp64Nano(max(Timestamp)) AS last_ns
FROM @database@.otel_traces
