-- How many rows a search has to look at, at most: what the primary key does not exclude.
-- tokens:  database, spans (conditions on a span)
-- params:  first_ns, last_ns Int64, and those of the conditions
-- returns: database, table, parts, rows, marks; nothing where the engine cannot tell
EXPLAIN ESTIMATE
SELECT TraceId
FROM @database@.otel_traces
WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
    AND @spans@
