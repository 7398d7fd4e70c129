-- How many points of each kind a metrics segment holds, so that only those tables are asked.
-- tokens:  segment (path), structure
-- returns: gauge, sum, histogram, exponential_histogram, summary UInt64
SELECT
    sum(length(metric.gauge.data_points)) AS `gauge`,
    sum(length(metric.sum.data_points)) AS `sum`,
    sum(length(metric.histogram.data_points)) AS `histogram`,
    sum(length(metric.exponential_histogram.data_points)) AS `exponential_histogram`,
    sum(length(metric.summary.data_points)) AS `summary`
FROM
(
    SELECT arrayJoin(arrayJoin(arrayJoin(metrics.resource_metrics).scope_metrics).metrics) AS metric
    FROM file('@segment@', 'Protobuf', '@structure@')
)
