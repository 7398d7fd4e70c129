-- What anybody said of how well agents did, what was chosen for them, and their tools.
-- tokens:  database, traces and sessions (conditions on Tenant, and TraceId or SessionId),
--          routed (the same on the session of a log event), tests (a regular expression), first, last (Unix seconds that bound the runs)
-- returns: Tenant, GroupKey (trace or session), AgentId ('' when it does not say), Kind
--          ('outcome', 'validation', 'tests', 'tools' or 'routing'), CallId (of routing: the tool call that
--          began the agent; of tools: the span that names them), Verifier, Quality (of routing: propensity),
--          Asked, Chosen, Applied, Tools, Details (of routing: JSON), At (Unix nanoseconds)
SELECT
    toString(Tenant) AS Tenant, TraceId AS GroupKey,
    SpanAttributes['fleetspan.agent.id'] AS AgentId,
    if(Event = 'fleetspan.outcome', 'outcome', 'validation') AS Kind, '' AS CallId,
    if(Kind = 'outcome', Attributes['fleetspan.outcome.verifier'], Attributes['fleetspan.validation.validation_type']) AS Verifier,
    if(Kind = 'outcome', toFloat64OrNull(Attributes['fleetspan.outcome.quality']),
        transform(Attributes['fleetspan.validation.result'], ['pass', 'warning', 'fail'], [1., 0.5, 0.], NULL)) AS Quality,
    '' AS Asked, '' AS Chosen, 0 AS Applied, '' AS Tools, '' AS Details, toUnixTimestamp64Nano(At) AS At
FROM @database@.otel_traces
ARRAY JOIN Events.Name AS Event, Events.Attributes AS Attributes, Events.Timestamp AS At
WHERE (@traces@)
    AND Timestamp BETWEEN toDateTime64(@first@, 9) AND toDateTime64(@last@ + 1, 9)
    AND Event IN ('fleetspan.outcome', 'fleetspan.validation')
UNION ALL
SELECT
    toString(Tenant), SessionId, if(AgentId = '', SessionId, AgentId), 'tests', '', 'tests',
    if(Event = 'PostToolUse', 1., 0.), '', '', 0, '', '', toUnixTimestamp64Nano(EventTime)
FROM @database@.claude_hooks
WHERE (@sessions@)
    AND Event IN ('PostToolUse', 'PostToolUseFailure') AND ToolName = 'Bash'
    AND match(JSONExtractString(Body, 'tool_input', 'command'), '@tests@')
UNION ALL
SELECT
    toString(Tenant), TraceId, SpanAttributes['fleetspan.agent.id'], 'tests', '', 'tests',
    if(StatusCode = 'Error', 0., 1.), '', '', 0, '', '', toUnixTimestamp64Nano(Timestamp)
FROM @database@.otel_traces
WHERE (@traces@)
    AND Timestamp BETWEEN toDateTime64(@first@, 9) AND toDateTime64(@last@ + 1, 9)
    AND SpanAttributes['gen_ai.operation.name'] = 'execute_tool'
    AND match(JSONExtractString(SpanAttributes['gen_ai.tool.call.arguments'], 'command'), '@tests@')
UNION ALL
SELECT
    toString(Tenant), LogAttributes['session.id'], '', 'routing', LogAttributes['gen_ai.tool.call.id'], '',
    toFloat64OrNull(LogAttributes['fleetspan.routing.propensity']),
    LogAttributes['fleetspan.routing.asked'], LogAttributes['fleetspan.routing.model'],
    toUInt8(LogAttributes['fleetspan.routing.applied'] = 'true'),
    LogAttributes['fleetspan.routing.tools'], LogAttributes['fleetspan.routing.details'], toUnixTimestamp64Nano(Timestamp)
FROM @database@.otel_logs
WHERE EventName = 'fleetspan.routing.decision'
    AND Timestamp BETWEEN toDateTime64(@first@ - 60, 9) AND toDateTime64(@last@ + 60, 9)
    AND (@routed@)
UNION ALL
SELECT
    toString(Tenant), TraceId, '', 'tools', SpanId, '', NULL, '', '', 0,
    arrayStringConcat(arraySort(arrayDistinct(arrayFilter(n -> n != '', arrayConcat(
        JSONExtract(SpanAttributes['fleetspan.agent.tools'], 'Array(String)'),
        arrayMap(
            d -> if(JSONExtractString(d, 'name') != '', JSONExtractString(d, 'name'), JSONExtractString(d, 'function', 'name')),
            JSONExtractArrayRaw(SpanAttributes['gen_ai.tool.definitions'])))))), ','),
    '', toUnixTimestamp64Nano(Timestamp)
FROM @database@.otel_traces
WHERE (@traces@)
    AND Timestamp BETWEEN toDateTime64(@first@, 9) AND toDateTime64(@last@ + 1, 9)
    AND (SpanAttributes['fleetspan.agent.tools'] != '' OR SpanAttributes['gen_ai.tool.definitions'] != '')
