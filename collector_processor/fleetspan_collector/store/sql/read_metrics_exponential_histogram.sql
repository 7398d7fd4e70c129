-- Exponential histogram points of one journal segment, as rows of otel_metrics_exponential_histogram, in the segment's order.
-- tokens:  segment (path), structure, batch_id, shown (what is shown of a text t)
-- returns: the columns of otel_metrics_exponential_histogram
WITH
@values@,
    (p -> multiIf(p.as_double IS NOT NULL, assumeNotNull(p.as_double), p.as_int IS NOT NULL, toFloat64(assumeNotNull(p.as_int)), 0)) AS number,
    (t -> toDateTime(intDiv(t, 1000000000))) AS seconds
SELECT
    resource_map AS ResourceAttributes,
    resource_metrics.schema_url AS ResourceSchemaUrl,
    scope_metrics.scope.name AS ScopeName,
    scope_metrics.scope.version AS ScopeVersion,
    attribute_map(scope_metrics.scope.attributes) AS ScopeAttributes,
    scope_metrics.scope.dropped_attributes_count AS ScopeDroppedAttrCount,
    scope_metrics.schema_url AS ScopeSchemaUrl,
    resource_map['service.name'] AS ServiceName,
    metric.name AS MetricName,
    metric.description AS MetricDescription,
    metric.unit AS MetricUnit,
    attribute_map(point.attributes) AS Attributes,
    seconds(point.start_time_unix_nano) AS StartTimeUnix,
    seconds(point.time_unix_nano) AS TimeUnix,
    point.flags AS Flags,
    point.count AS Count,
    ifNull(point.sum, 0) AS Sum,
    point.scale AS Scale,
    point.zero_count AS ZeroCount,
    point.positive.offset AS PositiveOffset,
    point.positive.bucket_counts AS PositiveBucketCounts,
    point.negative.offset AS NegativeOffset,
    point.negative.bucket_counts AS NegativeBucketCounts,
    arrayMap(e -> attribute_map(e.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(e -> seconds(e.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(e -> number(e), point.exemplars) AS `Exemplars.Value`,
    arrayMap(e -> id_text(e.span_id), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(e -> id_text(e.trace_id), point.exemplars) AS `Exemplars.TraceId`,
    ifNull(point.min, 0) AS Min,
    ifNull(point.max, 0) AS Max,
    metric.exponential_histogram.aggregation_temporality AS AggregationTemporality,
    tenant AS Tenant,
    '@batch_id@' AS BatchId,
    toUInt32(rowNumberInAllBlocks()) AS BatchOrdinal,
    nanoseconds(received_unix_nano) AS ReceivedAt
FROM
(
    SELECT
        tenant,
        received_unix_nano,
        arrayJoin(metrics.resource_metrics) AS resource_metrics,
        attribute_map(resource_metrics.resource.attributes) AS resource_map,
        arrayJoin(resource_metrics.scope_metrics) AS scope_metrics,
        arrayJoin(scope_metrics.metrics) AS metric,
        arrayJoin(metric.exponential_histogram.data_points) AS point
    FROM file('@segment@', 'Protobuf', '@structure@')
)
