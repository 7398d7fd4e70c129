-- Summary points of one journal segment, as rows of otel_metrics_summary, in the segment's order.
-- tokens:  segment (path), structure, batch_id, shown (what is shown of a text t)
-- returns: the columns of otel_metrics_summary
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
    point.sum AS Sum,
    point.quantile_values.quantile AS `ValueAtQuantiles.Quantile`,
    point.quantile_values.value AS `ValueAtQuantiles.Value`,
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
        arrayJoin(metric.summary.data_points) AS point
    FROM file('@segment@', 'Protobuf', '@structure@')
)
