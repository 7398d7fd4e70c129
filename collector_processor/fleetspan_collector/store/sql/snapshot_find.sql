-- The ids of snapshots that begin with some text.
-- tokens:  prefix (quoted)
-- returns: SnapshotId, the same ones in the same order
SELECT DISTINCT SnapshotId
FROM snapshots
WHERE startsWith(SnapshotId, '@prefix@')
ORDER BY SnapshotId
LIMIT 20
