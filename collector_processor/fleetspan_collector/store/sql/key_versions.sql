-- Versions of what resolving has put on record of some groups.
-- tokens:  database, groups (a condition on canonical_keys)
-- returns: Version UInt64
SELECT DISTINCT
    Version
FROM @database@.canonical_keys
WHERE @groups@
