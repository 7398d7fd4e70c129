-- Names and kinds of a service's spans.
-- params:  service String, kinds Array(String) (as stored; none for all), limit UInt32
-- returns: name, kind String
SELECT DISTINCT
    toString(SpanName) AS name,
    lower(replaceOne(toString(SpanKind), 'SPAN_KIND_', '')) AS kind
FROM @database@.otel_traces
WHERE ServiceName = {service:String}
    AND (empty({kinds:Array(String)}) OR SpanKind IN {kinds:Array(String)})
ORDER BY name, kind
LIMIT {limit:UInt32}
