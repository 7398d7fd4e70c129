-- Hooks of one journal segment, as rows of claude_hooks, in the segment's order.
-- What is no JSON object has empty fields, its body is kept all the same.
-- tokens:  segment (path), structure, batch_id, shown (unused: the receiver has cut)
-- returns: the columns of claude_hooks
WITH
@values@
SELECT
    fields.session_id AS SessionId,
    fields.hook_event_name AS Event,
    nanoseconds(if(claude_hook.event_unix_nano > 0, claude_hook.event_unix_nano, received_unix_nano)) AS EventTime,
    if(claude_hook.event_unix_nano > 0, 'sender', 'receipt') AS TimeSource,
    claude_hook.delivery_id AS DeliveryId,
    claude_hook.traceparent AS TraceParent,
    fields.agent_id AS AgentId,
    fields.agent_type AS AgentType,
    fields.prompt_id AS PromptId,
    fields.tool_use_id AS ToolUseId,
    fields.tool_name AS ToolName,
    fields.cwd AS Cwd,
    fields.transcript_path AS TranscriptPath,
    if(notEmpty(claude_hook.shown), claude_hook.shown, claude_hook.body) AS Body,
@origin_columns@
FROM
(
    SELECT
        tenant,
        received_unix_nano,
        claude_hook,
        -- Of an array the engine would take the elements in this order.
        JSONExtract(
            if(startsWith(claude_hook.body, '{'), claude_hook.body, '{}'),
            'Tuple(session_id String, hook_event_name String, agent_id String, agent_type String, prompt_id String, tool_use_id String, tool_name String, cwd String, transcript_path String)') AS fields
    FROM file('@segment@', 'Protobuf', '@structure@')
)
