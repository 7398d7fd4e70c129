-- What resolving has written for some groups.
-- tokens:  database, groups (a condition on canonical_keys)
-- returns: Tenant, GroupKey, Kind, Key String, Bucket DateTime, Fingerprint UInt64, IsDeleted UInt8
SELECT Tenant, GroupKey, Kind, Key,
    argMax(canonical_keys.Bucket, Version) AS Bucket,
    argMax(canonical_keys.Fingerprint, Version) AS Fingerprint,
    argMax(canonical_keys.IsDeleted, Version) AS IsDeleted
FROM @database@.canonical_keys
WHERE @groups@
GROUP BY Tenant, GroupKey, Kind, Key
