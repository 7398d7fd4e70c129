"""When runs are analysed: soon after they change, and when they have been silent too long.

::

    derivation ─► DirtyRuns ─► read ─► worker process ─► write ─► snapshots, who is told
                     ▲
          what an earlier collector left, what others derived, what goes silent

A run that still goes on is looked at by live processors whenever it changes and when its
silence passes a threshold; one that has ended, or was idle, by all of them. Running it
again changes nothing, so a crash at any point costs a repetition and no more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.config import Settings
from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.processors.analysis import unseen
from fleetspan_collector.processors.batch import RunBatch, RunKey
from fleetspan_collector.processors.contexts import Contexts
from fleetspan_collector.processors.dirty import DirtyRuns
from fleetspan_collector.processors.metrics import ProcessorMetrics
from fleetspan_collector.processors.reading import RunReader
from fleetspan_collector.processors.rows import rows_of
from fleetspan_collector.processors.run import Run
from fleetspan_collector.processors.sharing import Peers
from fleetspan_collector.processors.silence import OpenRuns
from fleetspan_collector.processors.supervisor import Supervisor, WorkerDiedError
from fleetspan_collector.processors.writing import AnalysisWriter, Written
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine

logger = logging.getLogger("fleetspan.processors")

_LONGEST_PAUSE_S: Final = 1.0
_FIRST_RETRY_S: Final = 1.0
_LAST_RETRY_S: Final = 30.0
_LOOK_BACK_EVERY_S: Final = 60.0
_LOOK_BACK_S: Final = 600.0
"""What others derived, or this one failed on, is looked for so often, and so far back."""

_MOST_AT_ONCE: Final = 10_000
"""Runs of one round; bounds its memory when a store of years is analysed anew."""

_AT_ONCE_WITH_PEERS_S: Final = 2.0
_CATCH_UP_S: Final = 7 * 86_400.0
"""How far back changes are looked for that no collector has analysed, at the start."""


class Follower(Protocol):
    """Whoever does something with runs once they are analysed and their rows are durable."""

    @property
    def wants_live(self) -> bool:
        """Whether somebody waits to hear of runs that still go on."""
        ...

    def analysed(self, runs: Sequence[Run], written: Written) -> None:
        """Take a batch; what it raises is logged, and holds up nobody."""
        ...


class Scheduler:
    """Analyses the runs that change, in a thread of its own.

    Args:
        engine: Any connection; it opens its own.
        settings: The collector's settings.
        dirty: Where runs are marked.
        metrics: Where it counts.
        budget: When the next round may start.
        looked: Called while somebody waits to hear of runs that still go on.
        followers: Told of every batch, in order.
        peers: Who shares the store; None when nobody can.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        dirty: DirtyRuns,
        metrics: ProcessorMetrics,
        budget: Budget,
        looked: Callable[[], None] = lambda: None,
        *,
        followers: Sequence[Follower] = (),
        peers: Peers | None = None,
    ) -> None:
        self._engine = engine.another()
        self._database = engine.address.database
        self._dirty = dirty
        self._metrics = metrics
        self._budget = budget
        self._looked = looked
        self._followers = followers
        self._peers = peers
        self._contexts = Contexts(self._engine, settings)
        self._reader = RunReader(self._engine, idle_timeout_s=settings.idle_timeout_s)
        self._writer = AnalysisWriter(self._engine)
        self.supervisor = Supervisor(settings, metrics)
        self._open = OpenRuns(settings)
        self._looked_back_at = float("-inf")
        self._stopping = threading.Event()
        self._thread = threading.Thread(
            target=self._work, name="fleetspan-analyse", daemon=True
        )

    def start(self) -> None:
        """Begin; what an earlier collector left is taken up first."""
        self._thread.start()

    def stop(self) -> None:
        """End after the round under way; what waits is found at the next start."""
        self._stopping.set()
        self.supervisor.stop()
        self._dirty.stop()
        if self._thread.is_alive():
            self._thread.join()
        self.supervisor.close()
        self._engine.close()

    def look_for_peers(self) -> bool:
        """See who shares the store; tells whether runs have changed hands.

        Raises:
            ClickHouseError: When the store fails.
        """
        return self._peers is not None and self._peers.look()

    def drain(self) -> None:
        """Analyse all that there is, in the calling thread.

        Raises:
            ClickHouseError: When the store fails.
            CollectorError: When the processors cannot be started.
        """
        self._look_back(_CATCH_UP_S, with_open=True)
        while len(self._dirty):
            self._round()

    def _work(self) -> None:
        pause_s = _FIRST_RETRY_S
        reach_s = _CATCH_UP_S
        while not self._stopping.is_set():
            try:
                self._look_around(reach_s)
                reach_s = _LOOK_BACK_S
                self._dirty.wait(_LONGEST_PAUSE_S)
                if len(self._dirty) and not self._pause():
                    began = time.monotonic()
                    self._round()
                    self._budget.spent(time.monotonic() - began)
                if not (len(self._open) or self._somebody_waits):
                    self.supervisor.rest()
                pause_s = _FIRST_RETRY_S
            except Exception as error:
                if self._stopping.is_set():
                    return
                self._metrics.rounds.inc()
                known = isinstance(error, (ClickHouseError, CollectorError, OSError))
                reason = (str(error) or type(error).__name__).splitlines()[0][:500]
                logger.error(
                    "runs could not be analysed, and are tried again: %s",
                    reason,
                    exc_info=None if known else error,
                )
                self._stopping.wait(pause_s)
                pause_s = min(2 * pause_s, _LAST_RETRY_S)

    @property
    def _somebody_waits(self) -> bool:
        return any(each.wants_live for each in self._followers)

    def _pause(self) -> bool:
        """Wait until the next round may start; tells whether there was need to."""
        pause_s = min(self._budget.next_round_in_s(), _LONGEST_PAUSE_S)
        if pause_s > 0:
            self._dirty.pause(pause_s)
        return pause_s > 0 and not self._stopping.is_set()

    def _look_around(self, reach_s: float) -> None:
        """Mark what has gone silent, and now and then what nobody has marked."""
        self._dirty.mark(self._open.take_silent(time.time_ns()))
        self._contexts.refresh()
        if self._somebody_waits:
            # To be told as soon as it is known: so it has to be known soon.
            self.supervisor.ready()
            if len(self._open):
                self._looked()
        changed = self.look_for_peers()
        shared = self._peers is not None and not self._peers.alone
        every_s = _AT_ONCE_WITH_PEERS_S if shared else _LOOK_BACK_EVERY_S
        if changed or time.monotonic() - self._looked_back_at > every_s:
            far = changed or reach_s == _CATCH_UP_S
            self._look_back(_CATCH_UP_S if far else reach_s, with_open=far)

    def _look_back(self, reach_s: float, *, with_open: bool) -> None:
        since = max(0, time.time_ns() - int(reach_s * 1e9))
        rows = self._engine.arrow(
            _sql.render("dirty_runs", database=self._database),
            {"since": since, "with_open": int(with_open)},
        )
        self._dirty.mark(
            (row["Tenant"], row["RunId"], row["Hour"]) for row in rows.to_pylist()
        )
        self._looked_back_at = time.monotonic()

    def _round(self) -> None:
        hours = self._dirty.take(_MOST_AT_ONCE)
        try:
            self._analyse(self._own(hours))
        except BaseException:
            self._dirty.give_back(hours)
            raise
        self._dirty.done()
        self._metrics.waiting.set(len(self._dirty))

    def _own(self, hours: Mapping[RunKey, int]) -> Mapping[RunKey, int]:
        if self._peers is None:
            return hours
        return {k: hour for k, hour in hours.items() if self._peers.are_mine(k)}

    def _analyse(self, hours: Mapping[RunKey, int]) -> None:
        left = dict(hours)
        self._contexts.refresh(hours.values())
        now_ns = time.time_ns()
        self._contexts.begin(now_ns)
        for batch in self._reader.batches(hours, self._contexts.of, now_ns):
            for facts in batch.facts:
                left.pop((facts.tenant, facts.run_id), None)
            self._analyse_batch(batch, now_ns)
        if left:
            self._writer.forget(left)

    def _analyse_batch(self, batch: RunBatch, now_ns: int) -> None:
        try:
            rows = self.supervisor.analyse(batch, now_ns).rows
        except WorkerDiedError as error:
            if len(batch.facts) > 1:
                middle = len(batch.facts) // 2
                self._analyse_batch(batch.part(0, middle), now_ns)
                self._analyse_batch(batch.part(middle, len(batch.facts)), now_ns)
                return
            logger.error("run %s cannot be analysed: %s", batch.facts[0].run_id, error)
            rows = rows_of([unseen(batch.run(0))], now_ns)
        hours = {(f.tenant, f.run_id): f.bucket_s for f in batch.facts}
        written = self._writer.write(rows, hours)
        self._metrics.runs.inc(len(batch.facts))
        self._open.note(batch.facts, now_ns)
        self._tell(list(batch.runs()), written)

    def _tell(self, runs: Sequence[Run], written: Written) -> None:
        for follower in self._followers:
            try:
                follower.analysed(runs, written)
            except Exception:
                logger.exception("%s failed", type(follower).__name__)
