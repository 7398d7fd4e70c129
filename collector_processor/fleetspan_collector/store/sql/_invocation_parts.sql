-- The traces and sessions of one `fleetspan run`, and when it began; for WITH.
    toDateTime64('@since@', 3, 'UTC') AS since,
    traces AS (
        SELECT DISTINCT TraceId FROM @database@.otel_traces
        WHERE Timestamp >= since AND ResourceAttributes['fleetspan.invocation.id'] = '@invocation@'
        UNION DISTINCT
        SELECT DISTINCT TraceId FROM @database@.otel_logs
        WHERE Timestamp >= since AND ResourceAttributes['fleetspan.invocation.id'] = '@invocation@' AND TraceId != ''),
    sessions AS (
        SELECT DISTINCT LogAttributes['session.id'] AS SessionId FROM @database@.otel_logs
        WHERE Timestamp >= since AND ResourceAttributes['fleetspan.invocation.id'] = '@invocation@' AND SessionId != '')
