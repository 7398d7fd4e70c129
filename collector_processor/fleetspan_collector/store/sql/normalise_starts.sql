-- Evidence of the start events of a window: runs, agents and tools seen before they end.
-- tokens:  database, window (a condition on otel_logs), rules_version
-- returns: the columns of evidence that are named here
WITH LogAttributes AS a
SELECT
    Tenant,
    TraceId AS GroupKey,
    SpanId AS Key,
    'start' AS Source,
    10 AS SourceRank,
    cityHash64(Timestamp, a) AS Rank,
    transform(EventName,
        ['fleetspan.run.start', 'fleetspan.agent.start', 'fleetspan.tool.start'],
        ['run', 'agent', 'tool'], 'other') AS Kind,
    a['fleetspan.parent_span_id'] AS ParentKey,
    a['fleetspan.run.id'] AS RunId,
    if(a['fleetspan.agent.id'] = '' AND Kind = 'agent', SpanId, a['fleetspan.agent.id']) AS AgentId,
    a['fleetspan.agent.parent_id'] AS ParentAgentId,
    a['fleetspan.spawn.tool_call_id'] AS SpawnToolCallId,
    a['gen_ai.conversation.id'] AS SessionId,
    if(ResourceAttributes['deployment.environment.name'] != '', ResourceAttributes['deployment.environment.name'], ResourceAttributes['deployment.environment']) AS Environment,
    ResourceAttributes['fleetspan.project'] AS Project,
    if(a['user.id'] != '', a['user.id'], ResourceAttributes['user.id']) AS User,
    ServiceName AS Service,
    ResourceAttributes['fleetspan.process.id'] AS Process,
    multiIf(Kind = 'agent', a['gen_ai.agent.name'], Kind = 'run', a['gen_ai.workflow.name'], a['gen_ai.tool.name']) AS Name,
    a['fleetspan.agent.type'] AS Type,
    a['fleetspan.agent.task'] AS Task,
    a['gen_ai.request.model'] AS Model,
    a['gen_ai.tool.call.id'] AS ToolCallId,
    a['fleetspan.tool.arguments_hash'] AS ArgumentsHash,
    'running' AS Status,
    Timestamp AS StartTime,
    Timestamp AS LastActivity,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM @database@.otel_logs
WHERE (@window@)
    AND EventName IN ('fleetspan.run.start', 'fleetspan.agent.start', 'fleetspan.tool.start')
    AND TraceId != ''
    AND SpanId != ''
