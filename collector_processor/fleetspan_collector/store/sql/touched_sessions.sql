-- The sessions that a window of Claude Code's hooks or transcript lines tells of.
-- tokens:  database, table (claude_hooks or claude_transcript_lines), window
--          sessions (an array of its columns)
-- returns: Tenant String, GroupKey String
SELECT DISTINCT Tenant, arrayJoin(@sessions@) AS GroupKey
FROM @database@.@table@
WHERE (@window@) AND GroupKey != ''
