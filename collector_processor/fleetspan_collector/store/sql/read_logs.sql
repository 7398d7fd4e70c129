-- Log records of one journal segment, as rows of otel_logs, in the segment's order.
-- tokens:  segment (path), structure, batch_id, shown (what is shown of a text t)
-- returns: the columns of otel_logs
WITH
@values@
SELECT
    nanoseconds(multiIf(record.time_unix_nano > 0, record.time_unix_nano, record.observed_time_unix_nano > 0, record.observed_time_unix_nano, received_unix_nano)) AS Timestamp,
    id_text(record.trace_id) AS TraceId,
    id_text(record.span_id) AS SpanId,
    toUInt8(bitAnd(record.flags, 255)) AS TraceFlags,
    record.severity_text AS SeverityText,
    toUInt8(record.severity_number) AS SeverityNumber,
    resource_map['service.name'] AS ServiceName,
    shown(value_text(record.body)) AS Body,
    resource_logs.schema_url AS ResourceSchemaUrl,
    resource_map AS ResourceAttributes,
    scope_logs.schema_url AS ScopeSchemaUrl,
    scope_logs.scope.name AS ScopeName,
    scope_logs.scope.version AS ScopeVersion,
    attribute_map(scope_logs.scope.attributes) AS ScopeAttributes,
    attribute_map(record.attributes) AS LogAttributes,
    if(record.event_name != '', record.event_name, LogAttributes['event.name']) AS EventName,
@origin_columns@
FROM
(
    SELECT
        tenant,
        received_unix_nano,
        arrayJoin(logs.resource_logs) AS resource_logs,
        attribute_map(resource_logs.resource.attributes) AS resource_map,
        arrayJoin(resource_logs.scope_logs) AS scope_logs,
        arrayJoin(scope_logs.log_records) AS record
    FROM file('@segment@', 'Protobuf', '@structure@')
)
