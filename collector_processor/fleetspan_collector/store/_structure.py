"""How the engine is to read a journal segment: ClickHouse types for journal.proto.

Members of a oneof are Nullable, or a ``0``, a ``false`` and an empty string could
not be told from an absent value.
"""

from __future__ import annotations

from typing import Final

from fleetspan_collector._signals import Signal

VALUE_DEPTH: Final = 1
"""How many containers (arrays, key-value lists) a value may nest. Each level doubles
the columns that the engine has to fill, and the second one the fixed cost of every
insert (134 ms against 63 ms); receivers turn deeper values into text."""

_SCALARS: Final = (
    "string_value Nullable(String), bool_value Nullable(Bool), "
    "int_value Nullable(Int64), double_value Nullable(Float64), "
    "bytes_value Nullable(String)"
)
_HEADER: Final = "tenant String, received_unix_nano UInt64"
_NUMBER: Final = "as_double Nullable(Float64), as_int Nullable(Int64)"


def _value(depth: int) -> str:
    if depth == 0:
        return f"Tuple({_SCALARS})"
    inner = _value(depth - 1)
    return (
        f"Tuple({_SCALARS}, array_value Tuple(values Array({inner})), "
        f"kvlist_value Tuple(values Array(Tuple(key String, value {inner}))))"
    )


_ATTRIBUTES: Final = f"Array(Tuple(key String, value {_value(VALUE_DEPTH)}))"
_RESOURCE: Final = f"resource Tuple(attributes {_ATTRIBUTES})"
_SCOPE: Final = (
    f"scope Tuple(name String, version String, attributes {_ATTRIBUTES}, "
    "dropped_attributes_count UInt32)"
)
_EXEMPLARS: Final = (
    f"exemplars Array(Tuple(time_unix_nano UInt64, {_NUMBER}, span_id String, "
    f"trace_id String, filtered_attributes {_ATTRIBUTES}))"
)
_POINT: Final = (
    f"start_time_unix_nano UInt64, time_unix_nano UInt64, attributes {_ATTRIBUTES}, "
    "flags UInt32"
)
_MIN_MAX: Final = "min Nullable(Float64), max Nullable(Float64)"
_BUCKETS: Final = "Tuple(offset Int32, bucket_counts Array(UInt64))"

_SPAN: Final = (
    "Tuple(trace_id String, span_id String, trace_state String, "
    "parent_span_id String, name String, kind Int32, start_time_unix_nano UInt64, "
    f"end_time_unix_nano UInt64, attributes {_ATTRIBUTES}, "
    f"events Array(Tuple(time_unix_nano UInt64, name String, attributes {_ATTRIBUTES})), "
    "links Array(Tuple(trace_id String, span_id String, trace_state String, "
    f"attributes {_ATTRIBUTES})), status Tuple(message String, code Int32))"
)
_LOG_RECORD: Final = (
    "Tuple(time_unix_nano UInt64, severity_number Int32, severity_text String, "
    f"body {_value(VALUE_DEPTH)}, attributes {_ATTRIBUTES}, flags UInt32, "
    "trace_id String, span_id String, observed_time_unix_nano UInt64, "
    "event_name String)"
)
_NUMBER_POINTS: Final = f"data_points Array(Tuple({_POINT}, {_NUMBER}, {_EXEMPLARS}))"
_HISTOGRAM_POINTS: Final = (
    f"data_points Array(Tuple({_POINT}, count UInt64, sum Nullable(Float64), "
    "bucket_counts Array(UInt64), explicit_bounds Array(Float64), "
    f"{_EXEMPLARS}, {_MIN_MAX}))"
)
_EXPONENTIAL_POINTS: Final = (
    f"data_points Array(Tuple({_POINT}, count UInt64, sum Nullable(Float64), "
    f"scale Int32, zero_count UInt64, positive {_BUCKETS}, negative {_BUCKETS}, "
    f"{_EXEMPLARS}, {_MIN_MAX}))"
)
_SUMMARY_POINTS: Final = (
    f"data_points Array(Tuple({_POINT}, count UInt64, sum Float64, "
    "quantile_values Array(Tuple(quantile Float64, value Float64))))"
)
_METRIC: Final = (
    "Tuple(name String, description String, unit String, "
    f"gauge Tuple({_NUMBER_POINTS}), "
    f"sum Tuple({_NUMBER_POINTS}, aggregation_temporality Int32, is_monotonic Bool), "
    f"histogram Tuple({_HISTOGRAM_POINTS}, aggregation_temporality Int32), "
    f"exponential_histogram Tuple({_EXPONENTIAL_POINTS}, aggregation_temporality Int32), "
    f"summary Tuple({_SUMMARY_POINTS}))"
)

STRUCTURES: Final = {
    Signal.TRACES: (
        f"{_HEADER}, traces Tuple(resource_spans Array(Tuple({_RESOURCE}, "
        f"scope_spans Array(Tuple({_SCOPE}, spans Array({_SPAN}))))))"
    ),
    Signal.LOGS: (
        f"{_HEADER}, logs Tuple(resource_logs Array(Tuple({_RESOURCE}, "
        f"scope_logs Array(Tuple({_SCOPE}, log_records Array({_LOG_RECORD}), "
        "schema_url String)), schema_url String)))"
    ),
    Signal.METRICS: (
        f"{_HEADER}, metrics Tuple(resource_metrics Array(Tuple({_RESOURCE}, "
        f"scope_metrics Array(Tuple({_SCOPE}, metrics Array({_METRIC}), "
        "schema_url String)), schema_url String)))"
    ),
    Signal.CLAUDE_HOOKS: (
        f"{_HEADER}, claude_hook Tuple(traceparent String, delivery_id String, "
        "event_unix_nano UInt64, body String, shown String)"
    ),
    Signal.TRANSCRIPT_LINES: (
        f"{_HEADER}, transcript_lines Tuple(path String, session_id String, "
        "agent_id String, offsets Array(UInt64), lines String, shown String)"
    ),
    Signal.SNAPSHOTS: (
        f"{_HEADER}, snapshot Tuple(request_id String, at_unix_nano UInt64, "
        "trace_id String, span_id String, run_id String, session_id String, "
        "agent_id String, name String, reason String, state_kind String, "
        "state_hash String, state_bytes UInt64, state_chunks Array(String))"
    ),
    Signal.SNAPSHOT_CHUNKS: (
        f"{_HEADER}, snapshot_chunk Tuple(hash String, body String)"
    ),
}
"""The structure of a segment, by the signal it holds."""
