-- What is known of each thing in some groups, one row per thing: every fact from the
-- best source that has it, a token vector whole from one source.
-- tokens:  database, groups (a condition on evidence)
-- returns: one row per (Tenant, GroupKey, Key), with Node and ParentNode as its place
--          in the tree (64-bit hashes; 0 stands for no parent)
--
-- Most things have one row of evidence, which is then the answer: merging costs six
-- times as much as reading.
WITH
    several AS (
        SELECT Tenant, GroupKey, Key
        FROM @database@.evidence
        WHERE @groups@
        GROUP BY Tenant, GroupKey, Key
        HAVING count() > 1
    ),
    -- A span is named within its trace, whatever group it is in, so that the parent of one
    -- may be in another; the rest is named within its group. A span id is 16 digits.
    ((name, trace) -> sipHash64(Tenant, if(length(name) = 16 AND trace != '', trace, GroupKey), name)) AS node_of,
    -- One number, because the engine compares tuples slowly: the better source, then the
    -- better of its reports.
    bitOr(bitShiftLeft(toUInt64(SourceRank), 56), bitShiftRight(Rank, 8)) AS standing,
    (evidence.Source != 'liveness' AND evidence.StartTime > toDateTime64(0, 9)) AS has_start,
    ((x) -> argMaxIf(x, standing, x != '')) AS best,
    ((x) -> argMaxIf(x, standing, x IS NOT NULL)) AS best_known,
    argMaxIf(evidence.Name, standing, evidence.Name NOT IN ('', 'custom')) AS Name_named,
    argMaxIf(evidence.Type, standing, evidence.Type NOT IN ('', 'custom')) AS Type_named,
    argMaxIf(
        (evidence.InputTokens, evidence.CacheReadTokens, evidence.CacheWriteTokens, evidence.CacheWrite5mTokens, evidence.CacheWrite1hTokens, evidence.OutputTokens, evidence.ReasoningTokens),
        standing, evidence.UsageKnown = 1) AS usage
SELECT * FROM (
SELECT
    Tenant,
    GroupKey,
    Key,
    node_of(Key, TraceId) AS Node,
    if(best(ParentKey) = '', 0, node_of(best(ParentKey), TraceId)) AS ParentNode,
    argMax(evidence.Kind, standing) AS Kind,
    best(evidence.RunId) AS RunId,
    best(evidence.AgentId) AS AgentId,
    best(evidence.ParentAgentId) AS ParentAgentId,
    best(evidence.SpawnToolCallId) AS SpawnToolCallId,
    best(evidence.SessionId) AS SessionId,
    best(evidence.Environment) AS Environment,
    best(evidence.Project) AS Project,
    best(evidence.User) AS User,
    best(evidence.Service) AS Service,
    best(evidence.Process) AS Process,
    -- Claude Code calls agents that a user defined 'custom' where it may not name them.
    if(Name_named != '', Name_named, best(evidence.Name)) AS Name,
    if(Type_named != '', Type_named, best(evidence.Type)) AS Type,
    best(evidence.Task) AS Task,
    best(evidence.Model) AS Model,
    best(evidence.Provider) AS Provider,
    best(evidence.ResponseId) AS ResponseId,
    best(evidence.ToolCallId) AS ToolCallId,
    best(evidence.ArgumentsHash) AS ArgumentsHash,
    best(evidence.ResultHash) AS ResultHash,
    best(evidence.FinishReason) AS FinishReason,
    best(evidence.Error) AS Error,
    -- What has ended stays ended, whatever arrives later; how the last end says.
    argMax(evidence.Status, (evidence.Status IN ('ok', 'error'), ifNull(evidence.EndTime, toDateTime64(0, 9)), transform(evidence.Status, ['running', 'abandoned', 'ok', 'error'], [1, 2, 3, 4], 0))) AS Status,
    -- An agent's feeds see different parts of its time, a call's and a tool's the same.
    if(Kind = 'agent', minIf(evidence.StartTime, has_start), argMaxIf(evidence.StartTime, standing, has_start)) AS StartTime,
    if(Kind = 'agent', max(evidence.EndTime), best_known(evidence.EndTime)) AS EndTime,
    max(evidence.LastActivity) AS LastActivity,
    max(evidence.UsageKnown) AS UsageKnown,
    tupleElement(usage, 1) AS InputTokens,
    tupleElement(usage, 2) AS CacheReadTokens,
    tupleElement(usage, 3) AS CacheWriteTokens,
    tupleElement(usage, 4) AS CacheWrite5mTokens,
    tupleElement(usage, 5) AS CacheWrite1hTokens,
    tupleElement(usage, 6) AS OutputTokens,
    tupleElement(usage, 7) AS ReasoningTokens,
    best_known(evidence.ReportedCostUsd) AS ReportedCostUsd,
    best_known(evidence.TimeToFirstTokenMs) AS TimeToFirstTokenMs,
    best_known(evidence.Attempts) AS Attempts,
    best_known(evidence.ResultBytes) AS ResultBytes,
    best_known(evidence.PermissionWaitMs) AS PermissionWaitMs,
    best_known(evidence.Success) AS Success,
    best(evidence.TraceId) AS TraceId,
    best(evidence.SpanId) AS SpanId,
    best(evidence.RequestId) AS RequestId,
    best(evidence.ServiceTier) AS ServiceTier,
    best_known(evidence.WebSearches) AS WebSearches,
    best(evidence.ClientVersion) AS ClientVersion,
    argMaxIf(evidence.TimeSource, standing, has_start AND evidence.TimeSource != '') AS TimeSource,
    -- A source is a feed, then what of it: hook/start.
    arraySort(groupUniqArray(splitByChar('/', toString(Source))[1])) AS Sources,
    -- Order-free over sources and over repeats of one report.
    arrayReduce('groupBitXor', arrayDistinct(groupArray(sipHash64(Source, Rank)))) AS Content
-- Whatever has been merged so far: of two reports of one source the better one counts.
FROM @database@.evidence FINAL
WHERE (@groups@) AND (Tenant, GroupKey, Key) IN several
GROUP BY Tenant, GroupKey, Key
UNION ALL
SELECT
    Tenant,
    GroupKey,
    Key,
    node_of(Key, TraceId) AS Node,
    if(ParentKey = '', 0, node_of(ParentKey, TraceId)) AS ParentNode,
    Kind,
    RunId,
    AgentId,
    ParentAgentId,
    SpawnToolCallId,
    SessionId,
    Environment,
    Project,
    User,
    Service,
    Process,
    Name,
    Type,
    Task,
    Model,
    Provider,
    ResponseId,
    ToolCallId,
    ArgumentsHash,
    ResultHash,
    FinishReason,
    Error,
    Status,
    StartTime,
    EndTime,
    LastActivity,
    UsageKnown,
    InputTokens,
    CacheReadTokens,
    CacheWriteTokens,
    CacheWrite5mTokens,
    CacheWrite1hTokens,
    OutputTokens,
    ReasoningTokens,
    ReportedCostUsd,
    TimeToFirstTokenMs,
    Attempts,
    ResultBytes,
    PermissionWaitMs,
    Success,
    TraceId,
    SpanId,
    RequestId,
    ServiceTier,
    WebSearches,
    ClientVersion,
    TimeSource,
    [splitByChar('/', toString(Source))[1]] AS Sources,
    sipHash64(Source, Rank) AS Content
FROM @database@.evidence
WHERE (@groups@) AND (Tenant, GroupKey, Key) NOT IN several
)
ORDER BY Tenant, GroupKey, Key
