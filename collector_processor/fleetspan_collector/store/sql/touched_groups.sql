-- The groups that a window of raw rows tells of.
-- tokens:  database, table (otel_traces or otel_logs), window
-- returns: Tenant String, GroupKey String
SELECT DISTINCT Tenant, TraceId AS GroupKey
FROM @database@.@table@
WHERE (@window@) AND TraceId != ''
