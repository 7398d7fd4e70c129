-- The critical path of a run.
-- params:  run_id String, first, last Int64 (Unix seconds that bound its hours)
-- returns: starts, ends (Unix nanoseconds), categories, agents, keys
SELECT
    arrayMap(t -> toUnixTimestamp64Nano(t), PathStart) AS starts,
    arrayMap(t -> toUnixTimestamp64Nano(t), PathEnd) AS ends,
    arrayMap(c -> toString(c), PathCategory) AS categories,
    PathAgentId AS agents,
    PathKey AS keys
FROM @database@.run_analyses
WHERE RunId = {run_id:String} AND Bucket BETWEEN toDateTime({first:Int64}) AND toDateTime({last:Int64})
LIMIT 1
