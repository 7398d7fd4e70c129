-- What is in some lines of transcripts.
-- tokens:  database, files (a condition on Tenant and FileSessionId), lines (pairs of path
--          and offset), longest (characters of text)
-- returns: Tenant, SessionId, Path, Offset, Hash (SHA-256 of the line as it is stored),
--          Bytes, Text (what it says in words)
SELECT
    toString(Tenant) AS Tenant,
    FileSessionId AS SessionId,
    Path,
    Offset,
    lower(hex(SHA256(Body))) AS Hash,
    length(Body) AS Bytes,
    substringUTF8(arrayStringConcat(arrayFilter(text -> text != '', arrayMap(block -> JSONExtractString(block, 'text'), JSONExtractArrayRaw(Body, 'message', 'content'))), '\n'), 1, @longest@) AS Text
FROM @database@.claude_transcript_lines
WHERE (@files@) AND (Path, Offset) IN (@lines@)
LIMIT 1 BY Tenant, SessionId, Path, Offset
