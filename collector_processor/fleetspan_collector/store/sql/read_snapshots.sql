-- Snapshots that applications ask for, of one journal segment, in its order.
-- tokens:  segment (path), structure, batch_id, shown (unused: nothing is cut)
-- returns: the columns of snapshot_requests
WITH
@values@
SELECT
    snapshot.request_id AS RequestId,
    nanoseconds(if(snapshot.at_unix_nano > 0, snapshot.at_unix_nano, received_unix_nano)) AS At,
    snapshot.trace_id AS TraceId,
    snapshot.span_id AS SpanId,
    snapshot.run_id AS RunId,
    snapshot.session_id AS SessionId,
    snapshot.agent_id AS AgentId,
    snapshot.name AS Name,
    snapshot.reason AS Reason,
    snapshot.state_kind AS StateKind,
    snapshot.state_hash AS StateHash,
    snapshot.state_bytes AS StateBytes,
    snapshot.state_chunks AS StateChunks,
@origin_columns@
FROM file('@segment@', 'Protobuf', '@structure@')
