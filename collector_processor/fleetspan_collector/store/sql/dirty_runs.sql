-- Runs that have changed since they were analysed, or went on when they were; and runs that
-- are not there any more, of which something is still said.
-- tokens:  database
-- params:  since UInt64 (Version from which on a change is looked for), with_open UInt8
--          (1: those, too, that have not changed and went on when they were analysed)
-- returns: Tenant, RunId String, Hour UInt32 (Unix seconds)
SELECT toString(Tenant) AS Tenant, RunId, toUnixTimestamp(Bucket) AS Hour
FROM @database@.canonical_runs FINAL
WHERE Version >= {since:UInt64}
    AND (Tenant, RunId, Version) NOT IN (
        SELECT Tenant, RunId, RunVersion
        FROM @database@.stored_analyses FINAL
        WHERE RunVersion >= {since:UInt64} AND (RunOpen = 0 OR {with_open:UInt8} = 0)
    )
UNION ALL
SELECT toString(Tenant) AS Tenant, RunId, toUnixTimestamp(Bucket) AS Hour
FROM @database@.stored_analyses FINAL
WHERE (Tenant, Bucket, RunId) IN (
        SELECT Tenant, Bucket, RunId
        FROM @database@.canonical_runs
        WHERE Version >= {since:UInt64} AND IsDeleted = 1
    )
    AND (Tenant, Bucket, RunId) NOT IN (
        SELECT Tenant, Bucket, RunId FROM @database@.canonical_runs FINAL
        WHERE Version >= {since:UInt64}
    )
SETTINGS do_not_merge_across_partitions_select_final = 1
