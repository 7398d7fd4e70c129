-- Spans of some traces, as they are stored, in no order.
-- params:  ids Array(String), first_ns, last_ns Int64, limit UInt32 (spans of one trace)
-- returns: the columns of otel_traces, in the order of jaeger/_spans.py
SELECT
    TraceId,
    SpanId,
    ParentSpanId,
    TraceState,
    toString(SpanName),
    toString(SpanKind),
    toString(ServiceName),
    ResourceAttributes,
    ScopeName,
    ScopeVersion,
    SpanAttributes,
    toUnixTimestamp64Nano(Timestamp),
    Duration,
    toString(StatusCode),
    StatusMessage,
    arrayMap(t -> toUnixTimestamp64Nano(t), `Events.Timestamp`),
    arrayMap(n -> toString(n), `Events.Name`),
    `Events.Attributes`,
    `Links.TraceId`,
    `Links.SpanId`,
    `Links.TraceState`,
    `Links.Attributes`
FROM @database@.otel_traces
WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
    AND TraceId IN {ids:Array(String)}
LIMIT {limit:UInt32} BY TraceId
