-- Evidence of whose a call or tool call is that the files of several sessions hold:
-- older clients copied a conversation into a fork without saying whose its requests were.
-- tokens:  database, window (a condition on claude_transcript_lines), rules_version
-- returns: the columns of evidence that are named here
--
-- A copied line keeps its uuid and its time. It belongs to the earliest session that had
-- written lines of its own before it; where none is known to, to the smallest id. What is
-- known of the beginnings only grows, and with it the rank.
WITH
    toDateTime64(4000000000, 9) AS never,
    shared AS
    (
        SELECT Tenant, Uuid
        FROM @database@.claude_transcript_lines
        WHERE Type = 'assistant' AND (Tenant, Uuid) IN
        (
            SELECT Tenant, Uuid
            FROM @database@.claude_transcript_lines
            WHERE Type = 'assistant' AND Uuid != '' AND (Tenant, FileSessionId) IN
            (
                SELECT Tenant, FileSessionId
                FROM @database@.claude_transcript_lines
                WHERE @window@
            )
        )
        GROUP BY Tenant, Uuid
        HAVING uniqExact(SessionId) > 1
    ),
    beginnings AS
    (
        SELECT Tenant, FileSessionId, min(Timestamp) AS Began
        FROM @database@.claude_transcript_lines
        WHERE Type IN ('queue-operation', 'api-request') AND Timestamp > toDateTime64(0, 9)
        GROUP BY Tenant, FileSessionId
    ),
    claims AS
    (
        SELECT
            lines.Tenant AS Tenant,
            lines.SessionId AS SessionId,
            Uuid,
            Timestamp,
            Body,
            ReceivedAt,
            if(Began > toDateTime64(0, 9), Began, never) AS OwnBeginning,
            min((if(OwnBeginning <= Timestamp, OwnBeginning, never), lines.SessionId)) OVER (PARTITION BY lines.Tenant, Uuid) AS Earliest,
            sum(toUInt64(dateDiff('millisecond', OwnBeginning, never))) OVER (PARTITION BY lines.Tenant, Uuid) AS Knowledge
        FROM
        (
            SELECT Tenant, SessionId, Uuid, any(Timestamp) AS Timestamp, any(Body) AS Body, min(ReceivedAt) AS ReceivedAt
            FROM @database@.claude_transcript_lines
            WHERE Type = 'assistant' AND (Tenant, Uuid) IN shared
            GROUP BY Tenant, SessionId, Uuid
        ) AS lines
        LEFT JOIN beginnings ON beginnings.Tenant = lines.Tenant AND beginnings.FileSessionId = lines.SessionId
    )
SELECT
    Tenant,
    SessionId AS GroupKey,
    tupleElement(told, 1) AS Key,
    'transcript/copy' AS Source,
    60 AS SourceRank,
    Knowledge AS Rank,
    if(SessionId = tupleElement(Earliest, 2), tupleElement(told, 2), 'copied') AS Kind,
    SessionId AS RunId,
    SessionId,
    Timestamp AS StartTime,
    Timestamp AS LastActivity,
    @rules_version@ AS RulesVersion,
    ReceivedAt
FROM
(
    SELECT *,
        arrayJoin(arrayFilter(x -> x.1 != '', arrayConcat(
            [(if(JSONExtractString(Body, 'requestId') != '', JSONExtractString(Body, 'requestId'), JSONExtractString(Body, 'message', 'id')), 'call')],
            arrayMap(b -> (JSONExtractString(b, 'id'), 'tool'), arrayFilter(b -> JSONExtractString(b, 'type') = 'tool_use', JSONExtractArrayRaw(Body, 'message', 'content')))))) AS told
    FROM claims
)
