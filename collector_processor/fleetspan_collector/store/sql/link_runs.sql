-- Which groups of a window tell of a stated run.
-- tokens:  database, groups (a condition on evidence)
-- returns: the columns of evidence_links
SELECT
    Tenant,
    RunId,
    GroupKey,
    max(LastActivity) AS LastActivity
FROM @database@.evidence
WHERE (@groups@) AND RunId != ''
GROUP BY Tenant, RunId, GroupKey
