"""Open the store that the settings name, up to date and ready to use."""

from __future__ import annotations

import os

from fleetspan_collector.config import Settings
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.migrate import Retention, migrate

_MOST_THREADS = 4


def open_store(settings: Settings) -> Engine:
    """Connect to the store and migrate it.

    The caller owns the data directory (`DataLock`) when the store is embedded.

    Raises:
        UnreachableError: When it cannot be opened, or a newer version made it.
    """
    engine = Engine(
        settings.store,
        threads=settings.engine_threads or min(os.cpu_count() or 1, _MOST_THREADS),
        memory_bytes=settings.engine_memory_bytes,
    )
    try:
        migrate(
            engine,
            retention=Retention(
                traces_days=settings.retention_traces_days,
                logs_days=settings.retention_logs_days,
                metrics_days=settings.retention_metrics_days,
                evidence_days=settings.retention_traces_days,
                runs_days=settings.retention_runs_days,
            ),
            idle_timeout_s=settings.idle_timeout_s,
        )
    except BaseException:
        engine.close()
        raise
    return engine
