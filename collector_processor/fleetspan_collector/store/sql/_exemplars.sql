    -- Exemplars of a metric point.
    arrayMap(e -> attribute_map(e.filtered_attributes), point.exemplars) AS `Exemplars.FilteredAttributes`,
    arrayMap(e -> seconds(e.time_unix_nano), point.exemplars) AS `Exemplars.TimeUnix`,
    arrayMap(e -> number(e), point.exemplars) AS `Exemplars.Value`,
    arrayMap(e -> id_text(e.span_id), point.exemplars) AS `Exemplars.SpanId`,
    arrayMap(e -> id_text(e.trace_id), point.exemplars) AS `Exemplars.TraceId`,
