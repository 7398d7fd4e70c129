-- Hooks of one journal segment whose bodies are too large for a row, whole, each once.
-- tokens:  segment (path), structure, shown (unused), limit (unused: the receiver decides)
-- returns: the columns of large_values
SELECT DISTINCT
    lower(hex(SHA256(value))) AS Hash,
    length(value) AS Bytes,
    value AS Value
FROM
(
    SELECT claude_hook.body AS value
    FROM file('@segment@', 'Protobuf', '@structure@')
    WHERE notEmpty(claude_hook.shown)
)
