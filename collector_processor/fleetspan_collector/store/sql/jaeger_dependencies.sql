-- Which service calls which: spans that began in an interval, whose parent is another's.
-- A parent may have begun earlier. Ids are compared by their hash, for those of millions
-- of parents have to fit into memory.
-- params:  first_ns, last_ns Int64, parents_from_ns Int64
-- returns: parent, child String, calls
SELECT
    toString(parents.service) AS parent,
    toString(children.service) AS child,
    count() AS calls
FROM
(
    SELECT cityHash64(Tenant, TraceId, ParentSpanId) AS id, ServiceName AS service
    FROM @database@.otel_traces
    WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
        AND ParentSpanId != '' AND ServiceName != ''
) AS children
ANY LEFT JOIN
(
    SELECT cityHash64(Tenant, TraceId, SpanId) AS id, ServiceName AS service
    FROM @database@.otel_traces
    WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({parents_from_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
        AND ServiceName != ''
) AS parents ON children.id = parents.id
WHERE parents.service != '' AND parents.service != children.service
GROUP BY parent, child
ORDER BY parent, child
