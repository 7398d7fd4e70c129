-- One span, as it came.
-- params:  trace_id, span_id String, first, last Int64 (Unix seconds)
-- returns: name, attributes, resource, events
SELECT
    toString(SpanName) AS name,
    toString(SpanKind) AS kind,
    toString(StatusCode) AS status,
    StatusMessage AS message,
    toString(ServiceName) AS service,
    ScopeName AS scope,
    ScopeVersion AS scope_version,
    ParentSpanId AS parent_span_id,
    toUnixTimestamp64Nano(Timestamp) AS start_ns,
    Duration AS duration_ns,
    mapKeys(SpanAttributes) AS attribute_names,
    mapValues(SpanAttributes) AS attribute_values,
    arrayMap(k -> toString(k), mapKeys(ResourceAttributes)) AS resource_names,
    mapValues(ResourceAttributes) AS resource_values,
    arrayMap(t -> toUnixTimestamp64Nano(t), `Events.Timestamp`) AS event_ns,
    arrayMap(n -> toString(n), `Events.Name`) AS event_names,
    arrayMap(a -> mapKeys(a), `Events.Attributes`) AS event_keys,
    arrayMap(a -> mapValues(a), `Events.Attributes`) AS event_values
FROM @database@.otel_traces
WHERE TraceId = {trace_id:String} AND SpanId = {span_id:String}
    AND Timestamp BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
LIMIT 1
