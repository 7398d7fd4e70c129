-- The traces that the snapshot requests of a window belong to: resolved again, their runs
-- are looked at again.
-- tokens:  database, window (a condition on snapshot_requests)
-- returns: Tenant, GroupKey
SELECT DISTINCT toString(Tenant) AS Tenant, TraceId AS GroupKey
FROM @database@.snapshot_requests
WHERE (@window@) AND TraceId != ''
