-- What processors found of a run up to a moment.
-- tokens:  tenant, run (quoted), at (Unix nanoseconds)
-- returns: as `snapshots.reading` reads it, the worst first
SELECT
    FindingId, toString(Detector) AS Detector, toString(Severity) AS Severity, At, What,
    Advice, Seconds, Usd
FROM findings
WHERE Tenant = '@tenant@' AND RunId = '@run@' AND At <= fromUnixTimestamp64Nano(toInt64(@at@))
ORDER BY findings.Severity DESC, Usd DESC NULLS LAST, FindingId
LIMIT 50
