-- Values of one journal segment of logs that are too large for a row, whole, each once.
-- tokens:  segment (path), structure, shown, limit (bytes)
-- returns: the columns of large_values
WITH
@values@
SELECT DISTINCT
    lower(hex(SHA256(value))) AS Hash,
    length(value) AS Bytes,
    value AS Value
FROM
(
    SELECT arrayJoin(arrayFilter(t -> length(t) > @limit@, arrayConcat(
        [value_text(record.body)],
        mapValues(resource_map),
        mapValues(attribute_map(scope_logs.scope.attributes)),
        mapValues(attribute_map(record.attributes))))) AS value
    FROM
    (
        SELECT
            arrayJoin(logs.resource_logs) AS resource_logs,
            attribute_map(resource_logs.resource.attributes) AS resource_map,
            arrayJoin(resource_logs.scope_logs) AS scope_logs,
            arrayJoin(scope_logs.log_records) AS record
        FROM file('@segment@', 'Protobuf', '@structure@')
    )
)
