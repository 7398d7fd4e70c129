-- Spans of one journal segment, as rows of otel_traces, in the segment's order.
-- tokens:  segment (path), structure, batch_id, shown (what is shown of a text t)
-- returns: the columns of otel_traces
WITH
@values@
SELECT
    nanoseconds(span.start_time_unix_nano) AS Timestamp,
    lower(hex(span.trace_id)) AS TraceId,
    lower(hex(span.span_id)) AS SpanId,
    id_text(span.parent_span_id) AS ParentSpanId,
    span.trace_state AS TraceState,
    span.name AS SpanName,
    transform(span.kind, [1, 2, 3, 4, 5], ['Internal', 'Server', 'Client', 'Producer', 'Consumer'], 'Unspecified') AS SpanKind,
    resource_map['service.name'] AS ServiceName,
    resource_map AS ResourceAttributes,
    scope_spans.scope.name AS ScopeName,
    scope_spans.scope.version AS ScopeVersion,
    attribute_map(span.attributes) AS SpanAttributes,
    if(span.end_time_unix_nano > span.start_time_unix_nano, span.end_time_unix_nano - span.start_time_unix_nano, 0) AS Duration,
    transform(span.status.code, [1, 2], ['Ok', 'Error'], 'Unset') AS StatusCode,
    span.status.message AS StatusMessage,
    arrayMap(e -> nanoseconds(e.time_unix_nano), span.events) AS `Events.Timestamp`,
    span.events.name AS `Events.Name`,
    arrayMap(e -> attribute_map(e.attributes), span.events) AS `Events.Attributes`,
    arrayMap(l -> lower(hex(l.trace_id)), span.links) AS `Links.TraceId`,
    arrayMap(l -> lower(hex(l.span_id)), span.links) AS `Links.SpanId`,
    span.links.trace_state AS `Links.TraceState`,
    arrayMap(l -> attribute_map(l.attributes), span.links) AS `Links.Attributes`,
@origin_columns@
FROM
(
    SELECT
        tenant,
        received_unix_nano,
        arrayJoin(traces.resource_spans) AS resource_spans,
        attribute_map(resource_spans.resource.attributes) AS resource_map,
        arrayJoin(resource_spans.scope_spans) AS scope_spans,
        arrayJoin(scope_spans.spans) AS span
    FROM file('@segment@', 'Protobuf', '@structure@')
)
