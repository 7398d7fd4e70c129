-- What became of a tenant's tasks in runs of the hours of a window, by kind and model.
-- tokens:  database
-- params:  tenant String, since, before Int64 (Unix seconds: hours from then on, and
--          before), most UInt64
-- returns: kind, model String, agents, failures Int64; the most frequent first
SELECT
    toString(TaskKind) AS kind,
    toString(Model) AS model,
    toInt64(count()) AS agents,
    toInt64(countIf(Status = 'error')) AS failures
FROM @database@.stored_agent_rollups FINAL
WHERE Tenant = {tenant:String} AND Bucket >= toDateTime({since:Int64}) AND Bucket < toDateTime({before:Int64})
    AND TaskKind != '' AND Model != '' AND Status IN ('ok', 'error')
GROUP BY TaskKind, Model
ORDER BY agents DESC, kind, model
LIMIT {most:UInt64}
SETTINGS do_not_merge_across_partitions_select_final = 1
