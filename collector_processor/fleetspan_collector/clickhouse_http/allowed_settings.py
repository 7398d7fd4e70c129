"""Settings that clients send: which are taken, and within what bounds."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from fleetspan_collector.clickhouse_http.faults import ClickHouseFault

_TAKEN: Final = re.compile(
    r"^(?:output_format_\w+|input_format_\w+|format_csv_\w+|format_tsv_\w+|format_custom_\w+"
    r"|format_regexp\w*|bool_\w+_representation|date_time_\w+|session_timezone|extremes"
    r"|limit|offset|final|join_\w+|max_rows_to_\w+|max_bytes_to_\w+|max_bytes_before_\w+"
    r"|read_overflow_mode|result_overflow_mode|timeout_overflow_mode|group_by_\w+|distinct_\w+"
    r"|sort_overflow_mode|set_overflow_mode|transform_null_in|any_join_\w+|union_default_mode"
    r"|intersect_default_mode|except_default_mode|optimize_\w+|enable_\w+|allow_experimental_\w+"
    r"|allow_suspicious_\w+|cast_\w+|data_type_default_nullable|prefer_\w+|use_\w+|compile_\w+"
    r"|count_distinct_implementation|short_circuit_\w+|max_block_size|max_result_bytes"
    r"|describe_\w+|decimal_\w+|aggregate_functions_null_for_empty|regexp_\w+|dialect"
    r"|partial_merge_\w+|totals_\w+|low_cardinality_\w+|flatten_nested|max_ast_\w+"
    r"|max_query_size|max_parser_\w+|type_json_\w+|cross_to_inner_join_rewrite|null_\w+"
    r"|insert_null_as_default|min_insert_block_\w+|max_insert_block_size|max_insert_threads"
    r"|max_partitions_per_insert_block|throw_on_max_\w+|insert_deduplicat\w+|log_queries"
    r"|do_not_merge_across_partitions_select_final|format_display_\w+)$"
)
# Of the way there and back, or of a server; here they change nothing.
_PASSED_OVER: Final = re.compile(
    r"^(?:readonly|async_insert\w*|wait_for_async_insert\w*|enable_http_compression"
    r"|http_\w+|send_\w+|receive_\w+|connect_timeout\w*|wait_end_of_query|buffer_size"
    r"|cancel_http_readonly_queries_on_client_close|log_\w+|insert_quorum\w*|priority"
    r"|max_concurrent_\w+|network_\w+|quota_key|stacktrace|add_http_cors_header|role"
    r"|client_protocol_version|load_balancing|distributed_\w+|fsync_\w+|tcp_keep_\w+"
    r"|session_check|session_timeout|poll_interval|idle_connection_timeout)$"
)
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NARROWS: Final = "additional_table_filters"
_CLAMPED: Final = (
    "max_execution_time",
    "max_memory_usage",
    "max_result_rows",
    "max_threads",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one statement may take, whatever the client asks.

    Attributes:
        seconds: How long it may run.
        memory_bytes: What it may take.
        rows: How many rows it may return; 0 for any number.
    """

    seconds: float
    memory_bytes: int
    rows: int


def settled(
    asked: Iterable[tuple[str, str]],
    limits: Limits,
    known: Mapping[str, str],
    *,
    sees_all: bool = False,
) -> dict[str, str]:
    """Return the settings of a statement.

    Args:
        asked: What the client asks for; of a name given twice the last.
        limits: Bounds that hold all the same.
        known: All settings of the engine with their defaults.
        sees_all: Whether the client sees everybody's rows, and so may choose to see
            fewer.

    Raises:
        ClickHouseFault: When there is no such setting, or it is not for clients.
    """
    settings: dict[str, str] = {}
    for name, value in asked:
        if name in _CLAMPED:
            settings[name] = value
        elif not _NAME.fullmatch(name) or (
            name not in known and not _PASSED_OVER.match(name)
        ):
            raise ClickHouseFault.of(
                "UNKNOWN_SETTING", f"Unknown setting '{name[:80]}'"
            )
        elif _PASSED_OVER.match(name):
            continue
        elif (
            name == _NARROWS
            and sees_all
            or _TAKEN.match(name)
            and not name.startswith(("enable_url", "use_hive"))
        ):
            settings[name] = value
        elif value != known[name]:
            raise ClickHouseFault.of(
                "READONLY", f"Cannot modify '{name}' setting in readonly mode"
            )
    threads = os.cpu_count() or 1
    settings["max_execution_time"] = _clamped(
        settings, "max_execution_time", limits.seconds
    )
    settings["max_memory_usage"] = _clamped(
        settings, "max_memory_usage", limits.memory_bytes
    )
    settings["max_threads"] = _clamped(settings, "max_threads", threads)
    if limits.rows:
        settings["max_result_rows"] = _clamped(settings, "max_result_rows", limits.rows)
    return settings


def _clamped(settings: Mapping[str, str], name: str, most: float) -> str:
    """The lesser of what is asked for and what may be; 0 asks for no limit."""
    text = settings.get(name, "0")
    try:
        asked = float(text)
    except ValueError:
        raise ClickHouseFault.of(
            "CANNOT_PARSE_NUMBER", f"Cannot parse '{text[:40]}' of setting {name}"
        ) from None
    taken = min(asked, most) if asked > 0 else most
    return f"{taken:g}" if name == "max_execution_time" else str(int(taken))
