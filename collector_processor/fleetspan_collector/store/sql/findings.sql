-- What processors have found, what matters most first.
-- tokens:  condition (on findings), limit
-- returns: one row per finding, as `insights.documents.finding_document` reads it
SELECT
    FindingId,
    toString(Detector) AS Detector,
    toInt8(Severity) AS Severity,
    RunId,
    RunName,
    TraceId,
    SessionId,
    AgentId,
    AgentName,
    SpanIds,
    AgentIds,
    CallIds,
    ToolCallIds,
    toUnixTimestamp64Nano(At) AS At,
    Seconds,
    Usd,
    What,
    Advice,
    Details,
    RunOpen
FROM (SELECT * FROM findings WHERE @condition@) AS chosen
ORDER BY Severity DESC, Usd DESC NULLS LAST, Seconds DESC NULLS LAST, At DESC, FindingId
LIMIT @limit@
