"""An embedded store whose runs are analysed, one step at a time, for tests."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import prometheus_client
from google.protobuf.message import Message

from fleetspan_collector.config import Settings
from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.processors.dirty import DirtyRuns
from fleetspan_collector.processors.metrics import ProcessorMetrics
from fleetspan_collector.processors.scheduler import Follower, Scheduler
from fleetspan_collector.processors.sharing import Peers
from tests.collector_processor.embedded import Embedded, embedded


class Analysing:
    """A store, its derivation, and a scheduler that works when it is told to.

    Args:
        store: The store.
        folder: For the settings' data directory.
        followers: Told of what is analysed.
        peers: Who shares the store.
        changes: Settings that are not the default.
    """

    def __init__(
        self,
        store: Embedded,
        folder: Path,
        *,
        followers: Sequence[Follower] = (),
        peers: Peers | None = None,
        **changes: Any,
    ) -> None:
        self.store = store
        self.dirty = DirtyRuns()
        self.derivation = Derivation(store.engine, PriceBook(), self.dirty.mark)
        self.registry = prometheus_client.CollectorRegistry()
        self.scheduler = Scheduler(
            store.engine,
            replace(Settings(data=folder), **changes),
            self.dirty,
            ProcessorMetrics(self.registry),
            Budget(1.0, 1.0),
            followers=followers,
            peers=peers,
        )

    def take(self, *requests: Message, tenant: str = "") -> None:
        """Store requests, derive from them, and analyse what has changed."""
        self.derivation.derive(self.store.insert(requests, tenant))
        self.analyse()

    def analyse(self) -> None:
        """Analyse all that waits."""
        self.scheduler.drain()

    def rows(self, table: str, condition: str = "1") -> list[dict[str, Any]]:
        """Return rows of a view."""
        return self.store.rows(table, condition)

    def findings(self, detector: str, condition: str = "1") -> list[dict[str, Any]]:
        """Return the findings of one processor, with their details read."""
        found = self.rows("findings", f"Detector = '{detector}' AND ({condition})")
        return [{**row, "Details": json.loads(row["Details"])} for row in found]

    def count(self, name: str, **labels: str) -> float:
        """Return a metric; 0 when it was never counted."""
        return self.registry.get_sample_value(name, labels) or 0.0


@contextlib.contextmanager
def analysing(folder: Path, **given: Any) -> Generator[Analysing]:
    """Open a store and analyse what comes into it; one at a time in a process."""
    with embedded(folder) as store:
        made = Analysing(store, folder, **given)
        try:
            yield made
        finally:
            made.scheduler.stop()
