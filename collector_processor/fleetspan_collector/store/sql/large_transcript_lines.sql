-- Lines of one journal segment of transcripts that are too large for a row, whole, once.
-- tokens:  segment (path), structure, shown (unused), limit (unused: the receiver decides)
-- returns: the columns of large_values
SELECT DISTINCT
    lower(hex(SHA256(value))) AS Hash,
    length(value) AS Bytes,
    value AS Value
FROM
(
    SELECT
        length(transcript_lines.offsets) AS lines_count,
        arrayJoin(arrayFilter(
            line -> notEmpty(line.2),
            arrayZip(
                arrayResize(splitByChar('\n', transcript_lines.lines), lines_count),
                arrayResize(splitByChar('\n', transcript_lines.shown), lines_count)))).1 AS value
    FROM file('@segment@', 'Protobuf', '@structure@')
    WHERE notEmpty(transcript_lines.shown)
)
