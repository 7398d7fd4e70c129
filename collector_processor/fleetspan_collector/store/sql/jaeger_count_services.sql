-- How many services have spans that began in an interval.
-- params:  first_ns, last_ns Int64
-- returns: services
SELECT uniqExact(ServiceName) AS services
FROM @database@.otel_traces
WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
    AND ServiceName != ''
