-- What control has decided, one row for each thing that it objected to in a run.
-- tokens:  database
-- params:  since UInt64 (Unix seconds): runs with a decision since then
-- returns: Tenant, RunId, SessionId, RunName, Environment, Project, User, Service, TraceId,
--          Hour (Unix seconds), Location, Answer, By, Enforced, Reason, Details (JSON), AgentId,
--          AgentName, First (Unix nanoseconds), Times, SpanIds, ToolCallIds
WITH decided AS
(
    SELECT
        toString(Tenant) AS OfTenant,
        LogAttributes['session.id'] AS Session,
        LogAttributes['fleetspan.control.location'] AS Location,
        LogAttributes['fleetspan.control.answer'] AS Answer,
        any(LogAttributes['fleetspan.control.by']) AS By,
        max(LogAttributes['fleetspan.control.enforced'] = 'true') AS Enforced,
        argMax(Body, Timestamp) AS Reason,
        argMax(LogAttributes['fleetspan.control.details'], Timestamp) AS Details,
        any(LogAttributes['gen_ai.agent.id']) AS AgentId,
        any(LogAttributes['gen_ai.agent.name']) AS AgentName,
        toUnixTimestamp64Nano(min(Timestamp)) AS First,
        toUInt32(count()) AS Times,
        arraySort(groupUniqArrayIf(100)(SpanId, SpanId != '')) AS SpanIds,
        arraySort(arrayDistinct(arrayConcat(
            groupUniqArrayIf(100)(LogAttributes['gen_ai.tool.call.id'], LogAttributes['gen_ai.tool.call.id'] != ''),
            arrayFlatten(groupArray(100)(JSONExtract(LogAttributes['fleetspan.control.evidence'], 'Array(String)')))
        ))) AS ToolCallIds
    FROM @database@.otel_logs
    WHERE ScopeName = 'fleetspan.control' AND EventName = 'fleetspan.control.decision'
        AND Timestamp >= toDateTime({since:UInt64}) - toIntervalDay(2)
    GROUP BY OfTenant, Session, Location, Answer
    HAVING max(Timestamp) >= toDateTime({since:UInt64})
)
SELECT
    OfTenant AS Tenant, runs.RunId AS RunId, Session AS SessionId, runs.Name AS RunName,
    toString(runs.Environment) AS Environment, toString(runs.Project) AS Project, runs.User AS User,
    toString(runs.Service) AS Service, runs.TraceId AS TraceId, toUnixTimestamp(runs.Bucket) AS Hour,
    Location, Answer, By, Enforced, Reason, Details, decided.AgentId AS AgentId,
    decided.AgentName AS AgentName, First, Times, SpanIds, ToolCallIds
FROM decided
INNER JOIN
(
    SELECT * FROM @database@.runs
    WHERE RunId IN (SELECT Session FROM decided)
) AS runs ON runs.RunId = Session AND toString(runs.Tenant) = OfTenant
SETTINGS do_not_merge_across_partitions_select_final = 1
