-- The groups that a window of raw rows tells of: the session for Claude Code, else the
-- trace.
-- tokens:  database, table (otel_traces or otel_logs), window
-- returns: Tenant String, GroupKey String, Feed String ('claude_code' or '')
SELECT DISTINCT
    Tenant,
    if(Feed = '' OR @attributes@['session.id'] = '', TraceId, @attributes@['session.id']) AS GroupKey,
    if(startsWith(ScopeName, 'com.anthropic.claude_code.'), 'claude_code', '') AS Feed
FROM @database@.@table@
WHERE (@window@) AND GroupKey != ''
