-- What is on record of runs that are analysed again. What control has decided stays.
-- tokens:  database, runs (a condition on Tenant, Bucket and RunId)
-- returns: Kind ('finding', 'rollup' or 'analysis'), Tenant, RunId, Key, Hour (Unix seconds),
--          and of findings: ContentHash, Rank of the severity and FoundAt (Unix milliseconds)
SELECT 'finding' AS Kind, toString(Tenant) AS Tenant, RunId, FindingId AS Key,
    toUnixTimestamp(Bucket) AS Hour,
    ContentHash,
    toInt8(Severity) AS Rank, toUnixTimestamp64Milli(FoundAt) AS FoundAt
FROM @database@.stored_findings FINAL
WHERE @runs@ AND Detector != 'control'
UNION ALL
SELECT 'rollup', toString(Tenant), RunId, AgentId, toUnixTimestamp(Bucket), 0, 0, 0
FROM @database@.stored_agent_rollups FINAL
WHERE @runs@
UNION ALL
SELECT 'analysis', toString(Tenant), RunId, '', toUnixTimestamp(Bucket), 0, 0, 0
FROM @database@.stored_analyses FINAL
WHERE @runs@
SETTINGS do_not_merge_across_partitions_select_final = 1
