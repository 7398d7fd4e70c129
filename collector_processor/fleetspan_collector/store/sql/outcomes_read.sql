-- What became of tasks, the latest first.
-- tokens:  outcomes (its name), since (Unix seconds), most
-- returns: Tenant, RunId, AgentId, Workload, Role, Tools, Repository, TaskKind, Model, Quality, Verifier,
--          CostUsd, Seconds, Tokens, Asked, Chosen, Propensity, ChanceNames, ChanceValues, Applied, At (Unix seconds, Float64),
--          Bucket (Unix seconds)
SELECT
    toString(Tenant) AS Tenant, RunId, AgentId, toString(Workload) AS Workload, toString(Role) AS Role,
    toString(Tools) AS Tools, toString(Repository) AS Repository, toString(TaskKind) AS TaskKind,
    toString(Model) AS Model, Quality, toString(Verifier) AS Verifier, CostUsd, Seconds, Tokens,
    toString(Asked) AS Asked, toString(Chosen) AS Chosen, Propensity,
    arrayMap(m -> toString(m), mapKeys(Chances)) AS ChanceNames, mapValues(Chances) AS ChanceValues, Applied,
    toUnixTimestamp64Milli(At) / 1000 AS At, toUnixTimestamp(Bucket) AS Bucket
FROM @outcomes@
WHERE Bucket >= toDateTime(@since@)
ORDER BY At DESC, Role, Model, Quality
LIMIT @most@
