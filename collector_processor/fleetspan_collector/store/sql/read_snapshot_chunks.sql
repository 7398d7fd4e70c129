-- Pieces of applications' state, of one journal segment, in its order, byte for byte.
-- tokens:  segment (path), structure, batch_id, shown (unused: nothing is cut)
-- returns: the columns of snapshot_chunks
WITH
@values@
SELECT
    snapshot_chunk.hash AS Hash,
    snapshot_chunk.body AS Body,
@origin_columns@
FROM file('@segment@', 'Protobuf', '@structure@')
