-- Lines of one journal segment of transcripts, as rows of claude_transcript_lines.
-- What is no JSON object has empty fields, the line is kept all the same.
-- tokens:  segment (path), structure, batch_id, shown (unused: the receiver has cut)
-- returns: the columns of claude_transcript_lines
WITH
@values@
SELECT
    file_session_id AS FileSessionId,
    path AS Path,
    line.1 AS Offset,
    multiIf(
        notEmpty(fields.requestSessionId), fields.requestSessionId,
        notEmpty(fields.sessionId), fields.sessionId,
        file_session_id) AS SessionId,
    if(notEmpty(fields.agentId), fields.agentId, file_agent_id) AS AgentId,
    fields.type AS Type,
    fields.uuid AS Uuid,
    fields.parentUuid AS ParentUuid,
    coalesce(
        -- Best effort, so that an offset in place of Z counts; but it would read '5' too.
        if(match(fields.timestamp, '^[12][0-9]{3}-[01][0-9]-[0-3][0-9]T'), parseDateTime64BestEffortOrNull(fields.timestamp, 9, 'UTC'), NULL),
        toDateTime64(0, 9, 'UTC')) AS Timestamp,
    fields.version AS Version,
    if(notEmpty(line.3), line.3, line.2) AS Body,
@origin_columns@
FROM
(
    SELECT
        tenant,
        received_unix_nano,
        transcript_lines.path AS path,
        transcript_lines.session_id AS file_session_id,
        transcript_lines.agent_id AS file_agent_id,
        length(transcript_lines.offsets) AS lines_count,
        arrayJoin(arrayZip(
            transcript_lines.offsets,
            arrayResize(splitByChar('\n', transcript_lines.lines), lines_count),
            arrayResize(splitByChar('\n', transcript_lines.shown), lines_count))) AS line,
        -- Of an array the engine would take the elements in this order.
        JSONExtract(
            if(startsWith(line.2, '{'), line.2, '{}'),
            'Tuple(type String, uuid String, parentUuid String, sessionId String, requestSessionId String, agentId String, timestamp String, version String)') AS fields
    FROM file('@segment@', 'Protobuf', '@structure@')
)
