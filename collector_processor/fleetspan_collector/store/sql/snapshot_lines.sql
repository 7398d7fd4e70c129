-- Where the lines of some sessions' transcripts stand, of those that say when they were
-- written; without what is in them.
-- tokens:  database, files (a condition on Tenant and FileSessionId)
-- returns: Tenant, SessionId, AgentId, Path, Offset, At, Speaks (an answer in words)
SELECT
    toString(Tenant) AS Tenant,
    FileSessionId AS SessionId,
    if(AgentId = '', FileSessionId, AgentId) AS AgentId,
    Path,
    Offset,
    Timestamp AS At,
    toUInt8(Type = 'assistant' AND match(Body, '"type": ?"text"')) AS Speaks
FROM @database@.claude_transcript_lines
WHERE (@files@) AND Timestamp > toDateTime64(0, 9, 'UTC')
ORDER BY At, Offset
