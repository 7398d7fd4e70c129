"""The disk cap: past it, the oldest days of raw rows go first."""

from __future__ import annotations

import logging
from typing import Final

from fleetspan_collector.store._engine import Engine

logger = logging.getLogger("fleetspan.store")

_RAW_TABLES: Final = (
    "otel_traces",
    "otel_logs",
    "otel_metrics_gauge",
    "otel_metrics_sum",
    "otel_metrics_histogram",
    "otel_metrics_exponential_histogram",
    "otel_metrics_summary",
    "claude_hooks",
    "claude_transcript_lines",
    "snapshot_chunks",
)


def enforce_cap(engine: Engine, cap_bytes: int) -> list[str]:
    """Drop whole days of raw rows, oldest first, until the store fits.

    Today's partition always stays: dropping what has just arrived helps nobody.

    Args:
        engine: A connection that may write.
        cap_bytes: How large the store may be; 0 for no cap.

    Returns:
        The days that were dropped, as ``YYYY-MM-DD``.
    """
    dropped: list[str] = []
    if not cap_bytes:
        return dropped
    database = engine.address.database
    tables = ", ".join(f"'{table}'" for table in _RAW_TABLES)
    while True:
        parts = engine.arrow(
            "SELECT table, partition, sum(bytes_on_disk) AS size FROM system.parts"
            f" WHERE active AND database = '{database}' GROUP BY table, partition"
        )
        if sum(parts["size"].to_pylist()) <= cap_bytes:
            return dropped
        days = engine.arrow(
            "SELECT DISTINCT partition FROM system.parts"
            f" WHERE active AND database = '{database}' AND table IN ({tables})"
            " AND toDateOrZero(partition) < today() ORDER BY partition LIMIT 1"
        )["partition"].to_pylist()
        if not days:
            logger.warning("the store is past its cap, and only today's rows are left")
            return dropped
        for table in _RAW_TABLES:
            engine.command(f"ALTER TABLE {database}.{table} DROP PARTITION '{days[0]}'")
        logger.warning("the store is past its cap: raw rows of %s are dropped", days[0])
        dropped.append(days[0])
