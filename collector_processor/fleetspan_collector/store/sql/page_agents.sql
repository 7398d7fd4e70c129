-- The agents of a run, as rows of a timeline.
-- params:  run_id String, first, last Int64 (Unix seconds that bound the run's rows)
-- returns: id, parent, spawn, name, type, model, status, error, start_ns, end_ns, activity_ns,
--          span_id, trace_id, group_key
SELECT
    AgentId AS id,
    ifNull(ParentAgentId, '') AS parent,
    ifNull(SpawnToolCallId, '') AS spawn,
    Name AS name,
    toString(Type) AS type,
    toString(Model) AS model,
    toString(Status) AS status,
    toString(Error) AS error,
    toUnixTimestamp64Nano(StartTime) AS start_ns,
    if(EndTime IS NULL, NULL, toUnixTimestamp64Nano(EndTime)) AS end_ns,
    toUnixTimestamp64Nano(LastActivity) AS activity_ns,
    SpanId AS span_id,
    TraceId AS trace_id
FROM @database@.agents
WHERE RunId = {run_id:String} AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
    AND GroupKey IN (SELECT TraceId FROM @database@.canonical_agents WHERE RunId = {run_id:String} AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64}))
ORDER BY start_ns, id
