-- All groups that belong together with these, these included when they have any.
-- tokens:  database, groups (a condition on evidence)
-- returns: Tenant String, GroupKey String
SELECT DISTINCT Tenant, GroupKey
FROM @database@.evidence_links
WHERE (Tenant, RunId) IN
(
    SELECT Tenant, arrayJoin([evidence.RunId, concat('trace ', evidence.GroupKey)]) AS Link
    FROM @database@.evidence
    WHERE (@groups@) AND Link != ''
)
