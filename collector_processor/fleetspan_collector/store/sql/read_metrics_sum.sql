-- Sum points of one journal segment, as rows of otel_metrics_sum, in the segment's order.
-- tokens:  segment (path), structure, batch_id, shown (what is shown of a text t)
-- returns: the columns of otel_metrics_sum
WITH
@values@,
@point_values@
SELECT
@point_columns@
    number(point) AS Value,
@exemplars@
    metric.sum.aggregation_temporality AS AggregationTemporality,
    metric.sum.is_monotonic AS IsMonotonic,
@origin_columns@
FROM
(
    SELECT
        tenant,
        received_unix_nano,
        arrayJoin(metrics.resource_metrics) AS resource_metrics,
        attribute_map(resource_metrics.resource.attributes) AS resource_map,
        arrayJoin(resource_metrics.scope_metrics) AS scope_metrics,
        arrayJoin(scope_metrics.metrics) AS metric,
        arrayJoin(metric.sum.data_points) AS point
    FROM file('@segment@', 'Protobuf', '@structure@')
)
