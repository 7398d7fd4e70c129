-- Services that have spans.
-- params:  limit UInt32
-- returns: service String ('' for spans without one)
SELECT DISTINCT toString(ServiceName) AS service
FROM @database@.otel_traces
ORDER BY service
LIMIT {limit:UInt32}
