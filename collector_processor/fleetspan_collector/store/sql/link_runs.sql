-- Which groups of a window belong together: those that tell of a stated run, and a
-- session with the traces that its spans are part of, found from either side.
-- tokens:  database, groups (a condition on evidence)
-- returns: the columns of evidence_links
SELECT
    Tenant,
    tupleElement(link, 1) AS RunId,
    tupleElement(link, 2) AS GroupKey,
    max(Activity) AS LastActivity
FROM
(
    SELECT Tenant, LastActivity AS Activity,
        arrayJoin(arrayConcat(
            if(evidence.RunId != '', [(evidence.RunId, evidence.GroupKey)], []),
            if(TraceId NOT IN ('', evidence.GroupKey), [(evidence.GroupKey, TraceId), (concat('trace ', TraceId), evidence.GroupKey)], []))) AS link
    FROM @database@.evidence
    WHERE @groups@
)
GROUP BY Tenant, RunId, GroupKey
