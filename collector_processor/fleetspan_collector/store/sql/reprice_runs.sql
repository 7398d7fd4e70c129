-- Runs, whole, whose cost or number of unpriced calls is not what their calls add up to.
-- tokens:  database
-- params:  since Int64 (Unix nanoseconds, 0 for all): only runs with a call from then on;
--          error Float64: the relative difference that is none
-- returns: the columns of canonical_runs, and NewCostUsd, NewUnpricedCalls
WITH totals AS
(
    SELECT
        Tenant,
        RunId,
        -- NULL when no call has a cost.
        sum(CostUsd) AS cost,
        -- A call that failed without usage cost nothing that is unknown.
        toUInt32(countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL))) AS unpriced
    FROM @database@.canonical_llm_calls FINAL
    GROUP BY Tenant, RunId
    HAVING {since:Int64} = 0 OR max(StartTime) >= fromUnixTimestamp64Nano({since:Int64})
)
SELECT
    runs.*,
    totals.cost AS NewCostUsd,
    totals.unpriced AS NewUnpricedCalls
FROM (SELECT * FROM @database@.canonical_runs FINAL) AS runs
INNER JOIN totals ON totals.Tenant = runs.Tenant AND totals.RunId = runs.RunId
WHERE NewUnpricedCalls != runs.UnpricedCalls
    OR isNull(NewCostUsd) != isNull(runs.CostUsd)
    OR abs(ifNull(NewCostUsd, 0) - ifNull(runs.CostUsd, 0)) > {error:Float64} * greatest(abs(ifNull(NewCostUsd, 0)), abs(ifNull(runs.CostUsd, 0)))
SETTINGS do_not_merge_across_partitions_select_final = 1
