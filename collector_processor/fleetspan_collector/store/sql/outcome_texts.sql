-- What agents were asked whose model was left to chance here, and how good the result was,
-- the latest first.
-- tokens:  outcomes, agents (their names), since (Unix seconds), trusted (a condition), most
-- returns: Tenant, RunId, AgentId, Workload, Role, Tools, Repository, Model, Quality, ChanceNames, ChanceValues, Task
SELECT
    toString(Tenant) AS Tenant, RunId, AgentId, toString(Workload) AS Workload, toString(Role) AS Role, toString(Tools) AS Tools,
    toString(Repository) AS Repository, toString(Model) AS Model, Quality,
    arrayMap(m -> toString(m), mapKeys(Chances)) AS ChanceNames, mapValues(Chances) AS ChanceValues, Asked AS Task
FROM
(
    SELECT Tenant, RunId, AgentId, Workload, Role, Tools, Repository, Model, Quality, Chances, At
    FROM @outcomes@
    WHERE Bucket >= toDateTime(@since@) AND Applied = 1 AND length(Chances) > 1 AND (@trusted@)
    ORDER BY At DESC
    LIMIT @most@
) AS known
INNER JOIN
(
    SELECT Tenant, RunId, AgentId, any(Task) AS Asked
    FROM @agents@
    WHERE Bucket >= toDateTime(@since@) AND Task != ''
        AND AgentId IN (SELECT AgentId FROM @outcomes@ WHERE Bucket >= toDateTime(@since@) AND Applied = 1)
    GROUP BY Tenant, RunId, AgentId
) AS asked USING (Tenant, RunId, AgentId)
ORDER BY At DESC
