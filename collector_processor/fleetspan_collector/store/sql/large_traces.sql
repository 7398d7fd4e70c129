-- Values of one journal segment of traces that are too large for a row, whole, each once.
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
        mapValues(resource_map),
        mapValues(attribute_map(span.attributes)),
        arrayFlatten(arrayMap(e -> mapValues(attribute_map(e.attributes)), span.events)),
        arrayFlatten(arrayMap(l -> mapValues(attribute_map(l.attributes)), span.links))))) AS value
    FROM
    (
        SELECT
            arrayJoin(traces.resource_spans) AS resource_spans,
            attribute_map(resource_spans.resource.attributes) AS resource_map,
            arrayJoin(arrayJoin(resource_spans.scope_spans).spans) AS span
        FROM file('@segment@', 'Protobuf', '@structure@')
    )
)
