-- How far each transcript has been read: where the line stands that came last.
-- tokens:  database, tenant, sessions (quoted, with commas between)
-- returns: Path, Last (its offset), Known (offset of the last line that has a uuid), KnownUuid
--          (that one), Described (MD5 of the last line, of agent-ID.meta.json alone)
--
-- The last to come, not the farthest: a file that was replaced by a shorter one is read
-- from its beginning again. Its parts are sent in order, each once the one before is
-- durable, so what lies before the last one is there.
SELECT
    Path,
    argMax(Offset, (ReceivedAt, Offset)) AS Last,
    argMaxIf(Offset, (ReceivedAt, Offset), Uuid != '') AS Known,
    argMaxIf(Uuid, (ReceivedAt, Offset), Uuid != '') AS KnownUuid,
    argMaxIf(lower(hex(MD5(if(endsWith(Path, '.meta.json'), Body, '')))), ReceivedAt, endsWith(Path, '.meta.json')) AS Described
FROM @database@.claude_transcript_lines
WHERE Tenant = '@tenant@' AND FileSessionId IN (@sessions@)
GROUP BY Path
