    -- What every kind of metric point needs besides the values of attributes.
    (p -> multiIf(p.as_double IS NOT NULL, assumeNotNull(p.as_double), p.as_int IS NOT NULL, toFloat64(assumeNotNull(p.as_int)), 0)) AS number,
    (t -> toDateTime(intDiv(t, 1000000000))) AS seconds
