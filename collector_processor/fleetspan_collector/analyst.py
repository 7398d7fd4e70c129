"""Analysis in a collector: the scheduler, and those who follow it."""

from __future__ import annotations

import asyncio
import os
import socket
import time
import uuid
from collections.abc import Callable, Sequence

import prometheus_client

from fleetspan_collector.config import Settings
from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.notify.announcer import Announcer
from fleetspan_collector.processors.dirty import DirtyRuns
from fleetspan_collector.processors.metrics import ProcessorMetrics
from fleetspan_collector.processors.scheduler import Follower, Scheduler
from fleetspan_collector.processors.sharing import Peers
from fleetspan_collector.routing.keeper import OutcomeKeeper
from fleetspan_collector.snapshots.capture import Capturer
from fleetspan_collector.store._engine import Engine

_LOOK_S = 0.01


class Analyst:
    """The scheduler of a collector, and whoever follows it: snapshots, and who is told.

    Args:
        engine: Any connection to the store; each part opens its own.
        settings: The collector's settings.
        dirty: Where runs are marked.
        budget: What analysing may take.
        registry: Where it counts.
        looked: Called while somebody waits to hear of runs that still go on.
        followers: Told, besides, of what is said of runs.

    Attributes:
        own_id: Names this collector among those of its store, as long as it runs.

    Raises:
        UsageError: When settings of processors, or of who is told, cannot be used.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        dirty: DirtyRuns,
        budget: Budget,
        registry: prometheus_client.CollectorRegistry,
        *,
        looked: Callable[[], None],
        followers: Sequence[Follower] = (),
    ) -> None:
        self._dirty = dirty
        self._budget = budget
        self._engines = [engine.another()]
        self._announcer = Announcer(engine, settings, registry)
        self.own_id = _own_id()
        peers = None
        if not engine.address.embedded:
            self._engines.append(engine.another())
            peers = Peers(self._engines[-1], self.own_id)
        self.scheduler = Scheduler(
            engine,
            settings,
            dirty,
            ProcessorMetrics(registry),
            budget,
            self._both(looked),
            followers=[
                Capturer(self._engines[0], settings),
                OutcomeKeeper(self._engines[0]),
                self._announcer,
                *followers,
            ],
            peers=peers,
        )
        self._stopped = False

    def start(self) -> None:
        """Begin.

        Raises:
            ClickHouseError: When the store fails.
        """
        self._announcer.start()
        self.scheduler.start()

    def stop(self) -> None:
        """End; safe to call twice."""
        if self._stopped:
            return
        self._stopped = True
        self.scheduler.stop()
        self._announcer.stop()
        for engine in self._engines:
            engine.close()

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until all runs that have changed before the call are analysed.

        Args:
            timeout_s: How long to wait at most, in seconds.

        Returns:
            False when they still are not.
        """
        mark = self._dirty.marked
        self._budget.looked()
        if self._dirty.is_done(mark):
            return True
        self._budget.wait(+1)
        self._dirty.hurry()
        deadline = time.monotonic() + timeout_s
        try:
            while not self._dirty.is_done(mark):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(_LOOK_S)
        finally:
            self._budget.wait(-1)
        return True

    def _both(self, looked: Callable[[], None]) -> Callable[[], None]:
        def look() -> None:
            looked()
            self._budget.looked()

        return look


def _own_id() -> str:
    """Names this collector among those of its store, as long as it runs."""
    return f"{socket.gethostname()}/{os.getpid()}/{uuid.uuid4().hex[:8]}"
