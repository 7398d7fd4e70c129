-- Model calls, each once, from what `transcript_lines_used` found in transcripts.
-- reads:   lines (a table with its result), files (File, SessionId, AgentId) and
--          agents (AgentId, AgentType)
-- returns: one row per call, by start; NULL is unknown
--
-- A fork copies lines under its own session, so the session is no part of a call's key.
-- The call belongs to the session that the copies name; older clients name none, and
-- then to the one that began to work first, before the call.
WITH
    lines AS
    (
        SELECT
            part.* EXCEPT (SessionId, AgentId),
            if(part.SessionId != '', part.SessionId, file.SessionId) AS SessionId,
            if(part.AgentId != '', part.AgentId, file.AgentId) AS AgentId
        FROM default.lines AS part
        LEFT JOIN default.files AS file ON file.File = part.File
    ),
    began AS
    (
        SELECT line.SessionId AS SessionId, min(line.FirstAt) AS At
        FROM lines AS line
        WHERE line.IsCall = 0 AND line.FirstAt IS NOT NULL
        GROUP BY line.SessionId
    ),
    -- A message's request, for lines that name only the message. The API has used one
    -- message id twice: then they stay apart.
    requests AS
    (
        SELECT line.MessageId AS MessageId, any(line.RequestId) AS RequestId
        FROM lines AS line
        WHERE line.IsCall = 1 AND line.MessageId != '' AND line.RequestId != ''
        GROUP BY line.MessageId
        HAVING uniqExact(line.RequestId) = 1
    ),
    calls AS
    (
        SELECT
            multiIf(
                line.RequestId != '', line.RequestId,
                requests.RequestId != '', requests.RequestId,
                line.MessageId != '', line.MessageId,
                line.Uuid != '', line.Uuid,
                -- Nothing names it: each file's is its own.
                concat(toString(line.File), ' ', toString(line.FirstAt))) AS CallId,
            max(line.RequestId) AS RequestId,
            max(line.MessageId) AS ResponseId,
            max(line.RequestSessionId) AS StatedSession,
            argMin(line.SessionId, (began.At IS NULL OR began.At > line.FirstAt, ifNull(began.At, line.FirstAt), line.SessionId)) AS EarliestSession,
            if(StatedSession != '', StatedSession, EarliestSession) AS OwnerSession,
            max(line.AgentId) AS OwnerAgent,
            min(line.FirstAt) AS StartTime,
            argMin(line.Cwd, (line.Cwd = '', line.FirstAt, line.Cwd)) AS Cwd,
            max(line.Model) AS Model,
            max(line.ClientVersion) AS ClientVersion,
            ifNull(max(line.InputTokens), 0) AS InputTokens,
            ifNull(max(line.CacheReadTokens), 0) AS CacheReadTokens,
            greatest(ifNull(max(line.CacheWriteTokens), 0), ifNull(max(line.CacheWrite5mTokens), 0) + ifNull(max(line.CacheWrite1hTokens), 0)) AS CacheWriteTokens,
            if(CacheWriteTokens = 0, 0, max(line.CacheWrite5mTokens)) AS CacheWrite5mTokens,
            if(CacheWriteTokens = 0, 0, max(line.CacheWrite1hTokens)) AS CacheWrite1hTokens,
            ifNull(max(line.OutputTokens), 0) AS OutputTokens,
            ifNull(max(line.ReasoningTokens), 0) AS ReasoningTokens,
            max(line.WebSearches) AS WebSearches,
            max(line.ReportedCostUsd) AS ReportedCostUsd,
            arrayStringConcat(arrayFilter(
                word -> lower(word) NOT IN ('', 'standard', 'normal', 'global', 'not_available'),
                [max(line.Tier), max(line.Speed), max(line.Place)]), '+') AS ServiceTier
        FROM lines AS line
        LEFT JOIN began ON began.SessionId = line.SessionId
        LEFT JOIN requests ON requests.MessageId = line.MessageId AND line.RequestId = ''
        WHERE line.IsCall = 1
        GROUP BY CallId
    )
SELECT
    calls.OwnerSession AS SessionId,
    if(calls.OwnerAgent != '', calls.OwnerAgent, calls.OwnerSession) AS AgentId,
    agents.AgentType AS AgentType,
    arrayElement(splitByRegexp('[\\\\/]+', trimRight(calls.Cwd, '/\\')), -1) AS Project,
    calls.Cwd AS Cwd,
    calls.CallId AS CallId,
    calls.RequestId AS RequestId,
    calls.ResponseId AS ResponseId,
    'anthropic' AS Provider,
    calls.Model AS Model,
    calls.StartTime AS StartTime,
    calls.InputTokens AS InputTokens,
    calls.CacheReadTokens AS CacheReadTokens,
    calls.CacheWriteTokens AS CacheWriteTokens,
    calls.CacheWrite5mTokens AS CacheWrite5mTokens,
    calls.CacheWrite1hTokens AS CacheWrite1hTokens,
    calls.OutputTokens AS OutputTokens,
    calls.ReasoningTokens AS ReasoningTokens,
    calls.WebSearches AS WebSearches,
    calls.ReportedCostUsd AS ReportedCostUsd,
    calls.ServiceTier AS ServiceTier,
    calls.ClientVersion AS ClientVersion
FROM calls
LEFT JOIN default.agents AS agents ON agents.AgentId = calls.OwnerAgent
ORDER BY StartTime, CallId
