-- Findings that a destination wants and has not been told of, or only when they mattered
-- less; oldest first.
-- tokens:  database
-- params:  destination String, since Int64 (written then or later, Unix milliseconds),
--          severity Int8 (the least), detectors Array(String) (none: all), limit UInt32
-- returns: rows of `findings`, with WrittenAt Int64 (Unix nanoseconds)
--
-- Version is the time of writing; FoundAt stays when a finding is found to matter more.
SELECT
    f.*,
    toInt64(f.Version) AS WrittenAt
FROM @database@.stored_findings AS f FINAL
LEFT JOIN
(
    SELECT Tenant, Subject, max(Level) AS Told, 1 AS Known
    FROM @database@.stored_deliveries
    WHERE Destination = {destination:String} AND Kind = 'finding'
        AND Outcome IN ('delivered', 'refused', 'gave_up', 'expired')
        AND Subject IN
        (
            SELECT FindingId
            FROM @database@.stored_findings
            WHERE Version >= toUInt64({since:Int64} * 1000000)
        )
    GROUP BY Tenant, Subject
) AS t ON t.Tenant = f.Tenant AND t.Subject = f.FindingId
WHERE f.Version >= toUInt64({since:Int64} * 1000000)
    AND toInt8(f.Severity) >= {severity:Int8}
    AND (empty({detectors:Array(String)}) OR has({detectors:Array(String)}, f.Detector))
    AND (t.Known = 0 OR t.Told < toUInt64(toInt8(f.Severity)))
ORDER BY f.Version, f.FindingId
LIMIT {limit:UInt32}
SETTINGS join_use_nulls = 0, do_not_merge_across_partitions_select_final = 1
