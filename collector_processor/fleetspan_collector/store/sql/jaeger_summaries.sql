-- What some traces are, without their spans.
-- A span is an orphan when its parent is named and not there.
-- params:  ids Array(String), first_ns, last_ns Int64
-- returns: trace_id, root_service, root_name, first_ns, last_ns, spans, errors, orphans,
--          services Array(String), and of each of these service_spans, service_errors
WITH spans AS
(
    SELECT
        TraceId,
        ServiceName,
        SpanName,
        Timestamp,
        Duration,
        ParentSpanId,
        cityHash64(TraceId, SpanId) AS id,
        cityHash64(TraceId, ParentSpanId) AS parent,
        StatusCode IN ('Error', 'STATUS_CODE_ERROR') AS failed
    FROM @database@.otel_traces
    WHERE Timestamp BETWEEN fromUnixTimestamp64Nano({first_ns:Int64}) AND fromUnixTimestamp64Nano({last_ns:Int64})
        AND TraceId IN {ids:Array(String)}
)
SELECT
    TraceId AS trace_id,
    toString(argMinIf(ServiceName, Timestamp, ParentSpanId = '')) AS root_service,
    toString(argMinIf(SpanName, Timestamp, ParentSpanId = '')) AS root_name,
    toUnixTimestamp64Nano(min(Timestamp)) AS first_ns,
    max(toUnixTimestamp64Nano(Timestamp) + toInt64(least(Duration, 9223372036854775807))) AS last_ns,
    count() AS spans,
    countIf(failed) AS errors,
    countIf(ParentSpanId != '' AND parent NOT IN (SELECT id FROM spans)) AS orphans,
    sumMap([toString(ServiceName)], [toUInt64(1)]) AS of_services,
    sumMap([toString(ServiceName)], [toUInt64(failed)]) AS failed_of_services,
    of_services.1 AS services,
    of_services.2 AS service_spans,
    arrayMap(s -> failed_of_services.2[indexOf(failed_of_services.1, s)], services) AS service_errors
FROM spans
GROUP BY TraceId
