    -- OTLP values as text, as the OpenTelemetry Collector's pdata `AsString` gives
    -- them. Containers hold scalars here; the receiver turns deeper ones into text.
    -- Scalars and containers are rendered apart: nearly all values are scalars, and
    -- the engine would build the JSON of every one of them (0.41 s against 1.27 s
    -- for 50,000 spans).
    (v -> coalesce(v.string_value, toString(v.int_value), toString(v.double_value), toString(v.bool_value), base64Encode(v.bytes_value), '')) AS scalar_text,
    (v -> coalesce(toJSONString(v.string_value), toString(v.int_value), toString(v.double_value), toString(v.bool_value), concat('"', base64Encode(v.bytes_value), '"'), 'null')) AS scalar_json,
    (v -> multiIf(
        notEmpty(v.array_value.values),
        concat('[', arrayStringConcat(arrayMap(x -> scalar_json(x), v.array_value.values), ','), ']'),
        notEmpty(v.kvlist_value.values),
        concat('{', arrayStringConcat(arrayMap(x -> concat(toJSONString(x.key), ':', scalar_json(x.value)), v.kvlist_value.values), ','), '}'),
        scalar_text(v))) AS value_text,
    (a -> arrayFilter(x -> notEmpty(x.value.array_value.values) OR notEmpty(x.value.kvlist_value.values), a)) AS containers,
    -- What stands in the row: the text, or its beginning when it is too large.
    (t -> @shown@) AS shown,
    (a -> mapUpdate(
        CAST(arrayMap(x -> (x.key, shown(scalar_text(x.value))), a), 'Map(LowCardinality(String), String)'),
        CAST(arrayMap(x -> (x.key, shown(value_text(x.value))), containers(a)), 'Map(LowCardinality(String), String)'))) AS attribute_map,
    (t -> fromUnixTimestamp64Nano(toInt64(t))) AS nanoseconds,
    -- An all-zero id stands for an absent one.
    (id -> if(match(id, '^\\x00*$'), '', lower(hex(id)))) AS id_text
