-- A part of the list of runs, as it is filtered and sorted.
-- tokens:  sort (an expression of the order), sort_type, comparison (`<` or `>`), direction
-- params:  since, until Int64 (Unix nanoseconds; 0 for none), status, service, project,
--          environment, user, session, agent, model, tool, detector, q String ('' for any),
--          min_severity Int8 (-1 for any), has_after UInt8, after (of the sort's type),
--          after_id String, limit UInt32
-- returns: as show_runs, and group_key, trace_id, ended_ns, activity_ns, service, project,
--          environment, user, tenant, bucket_s, sort_value
SELECT
@page_run_columns@,
    @sort@ AS sort_value
FROM @database@.runs
WHERE ({since:Int64} = 0 OR LastActivity >= fromUnixTimestamp64Nano({since:Int64}))
    AND ({until:Int64} = 0 OR StartTime < fromUnixTimestamp64Nano({until:Int64}))
    AND ({status:String} = '' OR Status = {status:String})
    AND ({service:String} = '' OR Service = {service:String})
    AND ({project:String} = '' OR Project = {project:String})
    AND ({environment:String} = '' OR Environment = {environment:String})
    AND ({user:String} = '' OR User = {user:String})
    AND ({session:String} = '' OR SessionId = {session:String})
    AND ({agent:String} = '' OR RunId IN (SELECT RunId FROM @database@.canonical_agents WHERE Name = {agent:String} OR AgentId = {agent:String}))
    AND ({model:String} = '' OR RunId IN (SELECT RunId FROM @database@.canonical_llm_calls WHERE Model = {model:String}))
    AND ({tool:String} = '' OR RunId IN (SELECT RunId FROM @database@.canonical_tool_calls WHERE Tool = {tool:String}))
    AND (({detector:String} = '' AND {min_severity:Int8} < 0) OR RunId IN (SELECT RunId FROM @database@.findings WHERE ({detector:String} = '' OR Detector = {detector:String}) AND toInt8(Severity) >= {min_severity:Int8}))
    AND ({q:String} = ''
        OR positionCaseInsensitiveUTF8(Name, {q:String}) > 0
        OR startsWith(RunId, {q:String})
        OR startsWith(SessionId, {q:String})
        OR startsWith(TraceId, {q:String})
        OR RunId IN (SELECT RunId FROM @database@.canonical_agents WHERE positionCaseInsensitiveUTF8(Name, {q:String}) > 0 OR positionCaseInsensitiveUTF8(Task, {q:String}) > 0))
    AND ({has_after:UInt8} = 0 OR (sort_value, run_id) @comparison@ ({after:@sort_type@}, {after_id:String}))
ORDER BY sort_value @direction@, run_id @direction@
LIMIT {limit:UInt32}
