-- Exponential histogram points of one journal segment, as rows of otel_metrics_exponential_histogram, in the segment's order.
-- tokens:  segment (path), structure, batch_id, shown (what is shown of a text t)
-- returns: the columns of otel_metrics_exponential_histogram
WITH
@values@,
@point_values@
SELECT
@point_columns@
    point.count AS Count,
    ifNull(point.sum, 0) AS Sum,
    point.scale AS Scale,
    point.zero_count AS ZeroCount,
    point.positive.offset AS PositiveOffset,
    point.positive.bucket_counts AS PositiveBucketCounts,
    point.negative.offset AS NegativeOffset,
    point.negative.bucket_counts AS NegativeBucketCounts,
@exemplars@
    ifNull(point.min, 0) AS Min,
    ifNull(point.max, 0) AS Max,
    metric.exponential_histogram.aggregation_temporality AS AggregationTemporality,
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
        arrayJoin(metric.exponential_histogram.data_points) AS point
    FROM file('@segment@', 'Protobuf', '@structure@')
)
