-- Findings of control that are on record.
-- tokens:  database
-- params:  runs Array(String)
-- returns: FindingId, ContentHash
SELECT FindingId, ContentHash
FROM @database@.stored_findings FINAL
WHERE Detector = 'control' AND RunId IN {runs:Array(String)}
SETTINGS do_not_merge_across_partitions_select_final = 1
