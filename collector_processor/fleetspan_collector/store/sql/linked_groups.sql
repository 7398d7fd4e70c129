-- All groups that share a stated run with these, these included when they state one.
-- tokens:  database, groups (a condition on evidence)
-- returns: Tenant String, GroupKey String
SELECT DISTINCT Tenant, GroupKey
FROM @database@.evidence_links
WHERE (Tenant, RunId) IN (SELECT Tenant, RunId FROM @database@.evidence WHERE (@groups@) AND RunId != '')
