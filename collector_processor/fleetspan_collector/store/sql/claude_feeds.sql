-- What Claude Code's feeds have brought lately: hooks and log events by name, lines of
-- transcripts by whether they can be read, and the versions of the clients.
-- tokens:  database, days
-- returns: Feed String (hook, line, event, version), Name String, Count UInt64
SELECT
    'hook' AS Feed,
    if(SessionId = '', '', toString(Event)) AS Name,
    count() AS Count
FROM @database@.claude_hooks
WHERE ReceivedAt > now() - INTERVAL @days@ DAY
GROUP BY Name
UNION ALL
SELECT
    'line' AS Feed,
    -- A line has a type; the one line of a meta file has none.
    if(Type != '' OR (startsWith(Body, '{') AND isValidJSON(Body)), 'readable', '') AS Name,
    count() AS Count
FROM @database@.claude_transcript_lines
WHERE ReceivedAt > now() - INTERVAL @days@ DAY
GROUP BY Name
UNION ALL
SELECT 'event' AS Feed, toString(EventName) AS Name, count() AS Count
FROM @database@.otel_logs
WHERE ScopeName = 'com.anthropic.claude_code.events' AND ReceivedAt > now() - INTERVAL @days@ DAY
GROUP BY Name
UNION ALL
SELECT 'version' AS Feed, Name, sum(Rows) AS Count
FROM
(
    SELECT toString(Version) AS Name, count() AS Rows
    FROM @database@.claude_transcript_lines
    WHERE Version != '' AND ReceivedAt > now() - INTERVAL @days@ DAY
    GROUP BY Name
    UNION ALL
    SELECT ResourceAttributes['service.version'] AS Name, count() AS Rows
    FROM @database@.otel_logs
    WHERE ScopeName = 'com.anthropic.claude_code.events' AND ReceivedAt > now() - INTERVAL @days@ DAY
    GROUP BY Name
)
GROUP BY Name
