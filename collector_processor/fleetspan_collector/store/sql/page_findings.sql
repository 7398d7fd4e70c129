-- A part of the list of findings, newest first or, of one run, the worst first.
-- tokens:  order
-- params:  since, until Int64 (Unix nanoseconds, 0 for none), run_id, detector, agent, session
--          String ('' for any), min_severity Int8, has_after UInt8, after_ns Int64,
--          after_id String, limit UInt32
-- returns: the columns of a finding of the API
SELECT
    FindingId AS finding_id,
    toString(Detector) AS detector,
    toInt8(Severity) AS severity,
    toUnixTimestamp64Nano(At) AS at_ns,
    RunId AS run_id,
    RunName AS run_name,
    TraceId AS trace_id,
    SessionId AS session_id,
    AgentId AS agent_id,
    AgentName AS agent_name,
    What AS what,
    Advice AS advice,
    Seconds AS seconds,
    Usd AS usd,
    SpanIds AS span_ids,
    arrayConcat(CallIds, ToolCallIds, AgentIds) AS rows,
    RunOpen AS open,
    toUnixTimestamp64Milli(FoundAt) * 1000000 AS found_ns
FROM @database@.findings
WHERE ({since:Int64} = 0 OR At >= fromUnixTimestamp64Nano({since:Int64}))
    AND ({until:Int64} = 0 OR At < fromUnixTimestamp64Nano({until:Int64}))
    AND ({since:Int64} = 0 OR Bucket >= toDateTime(intDiv({since:Int64}, 1000000000)) - INTERVAL 31 DAY)
    AND ({run_id:String} = '' OR RunId = {run_id:String})
    AND ({detector:String} = '' OR Detector = {detector:String})
    AND ({agent:String} = '' OR AgentName = {agent:String} OR AgentId = {agent:String})
    AND ({session:String} = '' OR SessionId = {session:String})
    AND toInt8(Severity) >= {min_severity:Int8}
    AND ({has_after:UInt8} = 0 OR (at_ns, finding_id) < ({after_ns:Int64}, {after_id:String}))
ORDER BY @order@
LIMIT {limit:UInt32}
