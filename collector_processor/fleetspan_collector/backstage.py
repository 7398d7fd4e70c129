"""What runs behind the ports of a collector: journal, pipeline, store and what follows them."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from typing import Final

import prometheus_client

from fleetspan_collector._opening import open_store
from fleetspan_collector._signals import Submission
from fleetspan_collector.analyst import Analyst
from fleetspan_collector.config import Settings
from fleetspan_collector.control.rules_file import read_rules
from fleetspan_collector.control.service import Control
from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.forward import Forwarders
from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.ingest.foreign import ForeignRows
from fleetspan_collector.ingest.metrics import IngestMetrics
from fleetspan_collector.ingest.pipeline import Pipeline
from fleetspan_collector.ingest.raw_writer import RawWriter
from fleetspan_collector.journal import (
    DataLock,
    Journal,
    JournalMetrics,
    JournalSettings,
)
from fleetspan_collector.live import Live
from fleetspan_collector.notify.announcer import tells_somebody
from fleetspan_collector.processors.dirty import DirtyRuns
from fleetspan_collector.routing.chooser import Chooser
from fleetspan_collector.store._engine import Engine, decoder

_WRITERS: Final = 2


class Backstage(ExitStack):
    """Everything behind the receivers: lock, store, journal and pipeline.

    Also used without receivers, by commands that open a store that nobody owns.

    Args:
        settings: The collector's settings.
        registry: Where all of it counts.

    Raises:
        CollectorError: When it cannot be opened; nothing is left open.
    """

    def __init__(
        self, settings: Settings, registry: prometheus_client.CollectorRegistry
    ) -> None:
        super().__init__()
        with contextlib.ExitStack() as opening:
            opening.push(self)
            self.enter_context(DataLock(settings.data))
            self.live = Live(registry)
            self.callback(self.live.close)
            self.control: Control | None = None
            self.prices = PriceBook.load(settings.price_override_file)
            self.engine = self._closing(open_store(settings))
            self.forwarders = Forwarders(settings, registry)
            self.callback(self.forwarders.stop)
            self.journal = self.enter_context(
                Journal(
                    settings.data / "journal",
                    settings=_journal_settings(settings),
                    metrics=JournalMetrics(registry),
                    observer=self._durable,
                    keeper=self.forwarders.keep,
                    refusal=self.forwarders.refusal,
                    after=self.forwarders.newest,
                )
            )
            self.dirty = DirtyRuns()
            self.derivation = Derivation(
                self._closing(self.engine.another()), self.prices, self._mark
            )
            metrics = IngestMetrics(registry)
            self.foreign = ForeignRows(
                self._closing(self.engine.another()),
                self.derivation,
                settings.data,
                metrics,
            )
            self.callback(self.foreign.stop)
            self.pipeline = Pipeline(
                self.journal,
                [
                    self._writer(settings)
                    for _ in range(min(os.cpu_count() or 1, _WRITERS))
                ],
                self.derivation,
                (_third_of_budget(settings), _third_of_budget(settings)),
                metrics,
            )
            self.analyst = self._analyst(settings, registry)
            self.control = self._controlled(settings, registry)
            opening.pop_all()

    def _analyst(
        self, settings: Settings, registry: prometheus_client.CollectorRegistry
    ) -> Analyst:
        analyst = Analyst(
            self.engine,
            settings,
            self.dirty,
            _third_of_budget(settings),
            registry,
            looked=self.pipeline.looked,
            followers=[self.live],
        )
        self.callback(analyst.stop)
        return analyst

    def _controlled(
        self, settings: Settings, registry: prometheus_client.CollectorRegistry
    ) -> Control | None:
        if settings.control_file is None:
            return None
        rules = read_rules(settings.control_file)
        chooser = Chooser(self.engine, rules.models)
        self.callback(chooser.stop)
        chooser.start()
        control = Control(
            *(settings.control_file, settings.data, self.engine, self.prices, registry),
            choose=chooser.choose,
            follow=chooser.take_rules,
        )
        self.callback(control.stop)
        return control

    def _durable(self, requests: Sequence[Submission], received_ns: int) -> None:
        """The journal tells of what is durable now."""
        self.live.durable(requests, received_ns)
        if self.control is not None:
            self.control.durable(requests)
        self.forwarders.news()

    def _mark(self, runs: Iterable[tuple[str, str, int]]) -> None:
        """Whoever derives tells of runs that have changed."""
        changed = list(runs)
        self.dirty.mark(changed)
        self.live.changed(changed)

    def _writer(self, settings: Settings) -> RawWriter:
        store = self._closing(self.engine.another())
        return RawWriter(
            store,
            self.enter_context(decoder(store)),
            value_limit_bytes=settings.value_limit_bytes,
        )

    def _closing(self, engine: Engine) -> Engine:
        self.callback(engine.close)
        return engine


def _third_of_budget(settings: Settings) -> Budget:
    """Inserting, deriving and analysing share the budget evenly.

    Who reads from a server, or asks another of its collectors, is not seen here; so
    somebody may always be looking. Whoever is told of findings waits for them.
    """
    busy, idle = settings.cpu_budget_busy_cores, settings.cpu_budget_idle_cores
    added = any("spans" in each.enrich for each in settings.forward)
    if not settings.store.embedded or tells_somebody(settings) or added:
        idle = max(busy, idle)
    return Budget(busy / 3, idle / 3)


def _journal_settings(settings: Settings) -> JournalSettings:
    return JournalSettings(
        segment_bytes=settings.journal_segment_bytes,
        max_bytes=settings.journal_cap_bytes,
        min_free_bytes=settings.free_disk_floor_bytes,
    )
