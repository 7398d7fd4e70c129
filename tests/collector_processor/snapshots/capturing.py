"""Runs of an embedded store, and what a capturer writes of them."""

from __future__ import annotations

import json
from typing import Any, Final

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.reading import RunReader
from fleetspan_collector.processors.run import Context, Run
from fleetspan_collector.snapshots.capture import Capturer
from tests.collector_processor.embedded import Embedded

_SETTINGS: Final = ProcessorSettings()


def runs_of(
    store: Embedded, tenant: str, *, now_ns: int = 0, idle_s: float = 1e9
) -> list[Run]:
    """Read all runs of a tenant, as the scheduler does."""
    hours = {
        (row["Tenant"], row["RunId"]): int(row["Hour"])
        for row in store.rows(
            "canonical_runs",
            f"Tenant = '{tenant}'",
            "DISTINCT Tenant, RunId, toUnixTimestamp(Bucket) AS Hour",
        )
    }
    reader = RunReader(store.engine, idle_timeout_s=idle_s)
    context = Context(settings=_SETTINGS, now_ns=now_ns)
    batches = reader.batches(hours, lambda facts: context, now_ns)
    return [run for batch in batches for run in batch.runs()]


def capture(
    store: Embedded, tenant: str, *, idle_s: float = 1e9, **settings: Any
) -> int:
    """Take the snapshots of all runs of a tenant with a capturer of its own."""
    capturer = Capturer(store.engine, ProcessorSettings(**settings))
    # In 2036: whatever is idle by then is abandoned.
    now_ns = 2_090_000_000 * 10**9
    return capturer.capture(runs_of(store, tenant, now_ns=now_ns, idle_s=idle_s))


def snapshots(store: Embedded, tenant: str) -> list[dict[str, Any]]:
    """Return the snapshots of a tenant in order of their moments, content decoded."""
    rows = store.rows("snapshots", f"Tenant = '{tenant}'")
    for row in rows:
        row["Content"] = json.loads(row["Content"])
    return sorted(rows, key=lambda row: (row["At"], row["Trigger"]))
