"""The two threads that empty the journal: one inserts, one derives and then deletes.

A segment is deleted only when its rows are inserted and everything is derived from
them. So the journal itself remembers how far each step has come: what a crash leaves
there is inserted again (missing rows only) and derived again (with the same result).
The steps run side by side, so that raw rows can be read while deriving goes on.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.derivation import Derivation
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.ingest.bisect import set_unreadable_aside
from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.ingest.metrics import IngestMetrics
from fleetspan_collector.ingest.raw_writer import RawWriter
from fleetspan_collector.ingest.resent import unanswered
from fleetspan_collector.journal import Journal, Segment

logger = logging.getLogger("fleetspan.ingest")

_MOST_ROWS_AT_ONCE: Final = 100_000
"""Rows of one derive step: bounds its memory, and how late the next one is."""

_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 15.0
_LONGEST_PAUSE_S: Final = 0.5
_LONGEST_WAY_S: Final = 30.0
"""For how long deriving gives way to a burst of segments that are to be inserted."""

_UNREADY_LAG_S: Final = 120.0
"""At the idle budget a small batch may wait for half a minute; this is far beyond."""

_BURST_BYTES: Final = 8 << 20
_DERIVED: Final = (
    Signal.TRACES,
    Signal.LOGS,
    Signal.CLAUDE_HOOKS,
    Signal.TRANSCRIPT_LINES,
    Signal.SNAPSHOTS,
)


class Pipeline:
    """Empties a journal into a store.

    Args:
        journal: Where acknowledged requests are.
        writers: Insert segments, each one at a time; two keep two cores at work when
            there is a backlog.
        derivation: Derives canonical rows.
        budgets: When the next insert and the next derivation may start.
        metrics: Where it counts.

    Attributes:
        problem: Why the store does not take what is journaled; ``None`` when it does.
    """

    def __init__(
        self,
        journal: Journal,
        writers: Sequence[RawWriter],
        derivation: Derivation,
        budgets: tuple[Budget, Budget],
        metrics: IngestMetrics,
    ) -> None:
        self.problem: str | None = None
        self._journal = journal
        self._writers: queue.SimpleQueue[RawWriter] = queue.SimpleQueue()
        for writer in writers:
            self._writers.put(writer)
        self._pool = ThreadPoolExecutor(len(writers), "fleetspan-insert")
        self._derivation = derivation
        self._insert_budget, self._derive_budget = budgets
        self._metrics = metrics
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._inserted: dict[str, Segment] = {}
        self._inserting_ended = False
        # Whatever an earlier process left may be in the store, in whole or in part.
        left = journal.sealed()
        self._doubtful = {segment.batch_id for segment in left}
        # Nobody else brings rows to an embedded store.
        self._unanswered = {} if writers[0].embedded else unanswered(left)
        self._threads = [
            threading.Thread(
                target=self._run_inserts, name="fleetspan-insert", daemon=True
            ),
            threading.Thread(
                target=self._run_derives, name="fleetspan-derive", daemon=True
            ),
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Empty the journal, which must be closed by now, and end.

        A store that cannot be reached is given up on after one attempt: the journal
        keeps what is left for the next start.
        """
        self._stopping.set()
        self._notify()
        for thread in self._threads:
            if thread.is_alive():
                thread.join()
        self._pool.shutdown()

    async def caught_up(self, timeout_s: float, *, derived: bool = True) -> bool:
        """Wait until everything acknowledged before the call can be read.

        Args:
            timeout_s: How long to wait at most, in seconds.
            derived: Whether canonical rows are to be read, or raw rows alone.

        Returns:
            False when it still cannot be read.
        """
        position = self._journal.position()
        done = self._derived_up_to if derived else self._inserted_up_to
        budgets = [self._insert_budget, *([self._derive_budget] if derived else [])]
        for budget in budgets:
            budget.looked()
        if done(position):
            return True
        for budget in budgets:
            budget.wait(+1)
        self._notify()
        deadline = time.monotonic() + timeout_s
        try:
            while not done(position):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(0.01)
        finally:
            for budget in budgets:
                budget.wait(-1)
        return True

    def looked(self) -> None:
        """Somebody is looking, or is told as soon as something is known."""
        self._insert_budget.looked()
        self._derive_budget.looked()

    def unready(self) -> dict[str, str]:
        """What stands in the way of reading what is acknowledged, by a short name."""
        reasons = {"store": self.problem} if self.problem else {}
        waiting = self._journal.sealed()
        if waiting:
            lag_s = time.time() - waiting[0].first_received_unix_nano / 1e9
            if lag_s > _UNREADY_LAG_S:
                reasons["lag"] = f"the oldest unread record is {lag_s:.0f} s old"
        return reasons

    def drain(self) -> None:
        """Insert and derive all that there is, in the calling thread.

        Raises:
            ClickHouseError: When the store fails.
        """
        self._journal.seal()
        while self._journal.sealed():
            for segment in self._journal.sealed():
                self._insert(segment)
            if inserted := self._some():
                self._derive(inserted)

    def _derived_up_to(self, position: Mapping[Signal, str]) -> bool:
        return self._journal.passed(position)

    def _inserted_up_to(self, position: Mapping[Signal, str]) -> bool:
        state = self._journal.state()
        waiting = [
            (segment.signal, segment.batch_id)
            for segment in self._journal.sealed()
            if segment.batch_id not in self._inserted
        ] + [(held.signal, held.batch_id) for held in state.open]
        return all(batch > position.get(signal, "") for signal, batch in waiting)

    def _notify(self) -> None:
        with self._wake:
            self._wake.notify_all()

    def _run_inserts(self) -> None:
        try:
            self._keep_inserting()
        finally:
            with self._wake:
                self._inserting_ended = True
                self._wake.notify_all()

    def _keep_inserting(self) -> None:
        """Seal and insert, until the journal is closed and empty."""
        seen = -1
        while True:
            state = self._journal.state()
            todo = [
                s for s in self._journal.sealed() if s.batch_id not in self._inserted
            ]
            if not todo and not state.open:
                if self._stopping.is_set():
                    return
                # Without a timer while there is nothing at all to do.
                seen = self._journal.wait_for_change(max(seen, state.version))
                continue
            if not todo and not self._stopping.is_set():
                if self._pause(self._insert_budget):
                    continue
                self._journal.seal()
                todo = self._journal.sealed()
                # Metrics go to five tables and nothing is derived from them.
                todo.sort(key=lambda segment: segment.signal is Signal.METRICS)
            done = self._attempt(
                self._insert_budget, functools.partial(self._insert_all, todo)
            )
            if not done:
                logger.warning("the journal keeps what could not be stored")
                return

    def _run_derives(self) -> None:
        """Derive from what is inserted, until there will be no more."""
        gives_way_until = 0.0
        while True:
            with self._wake:
                while not self._inserted and not self._inserting_ended:
                    self._metrics.lag_seconds.set(0)
                    self._wake.wait()
                if not self._inserted:
                    return
            much = sum(s.rows for s in self._all_inserted()) >= _MOST_ROWS_AT_ONCE
            hurry = much or self._stopping.is_set()
            if not hurry and self._pause(self._derive_budget):
                continue
            gives_way_until = gives_way_until or time.monotonic() + _LONGEST_WAY_S
            if self._gives_way(gives_way_until):
                continue
            gives_way_until = 0.0
            done = self._attempt(
                self._derive_budget, lambda: self._derive(self._some())
            )
            if not done:
                return

    def _gives_way(self, until: float) -> bool:
        """Let a burst be inserted first, for a while; tells whether it waited."""
        waiting = sum(
            segment.size_bytes
            for segment in self._journal.sealed()
            if segment.batch_id not in self._inserted
        )
        if waiting < _BURST_BYTES or time.monotonic() > until:
            return False
        with self._wake:
            self._wake.wait(_LONGEST_PAUSE_S)
        return True

    def _pause(self, budget: Budget) -> bool:
        """Wait until the next round may start; tells whether there was need to."""
        pause = min(budget.next_round_in_s(), _LONGEST_PAUSE_S)
        if pause <= 0:
            return False
        with self._wake:
            self._wake.wait(pause)
        return True

    def _attempt(self, budget: Budget, step: Callable[[], None]) -> bool:
        """One round; a failure is logged once, counted, and tried again later."""
        began = time.monotonic()
        pause = _FIRST_RETRY_S
        while True:
            try:
                step()
            except Exception as error:  # noqa: BLE001 - else the thread ends in silence
                if not self._failed(error, pause):
                    return False
                pause = min(2 * pause, _LAST_RETRY_S)
                continue
            if self.problem is not None:
                logger.info("the store works again")
                self.problem = None
            budget.spent(time.monotonic() - began)
            self._notify()
            return True

    def _failed(self, error: Exception, pause_s: float) -> bool:
        """Report a failure and wait; tells whether to try again."""
        reason = (str(error) or type(error).__name__).splitlines()[0][:500]
        if self.problem is None:
            known = isinstance(error, (ClickHouseError, OSError))
            logger.error(
                "the store does not take what is journaled: %s",
                reason,
                exc_info=None if known else error,
            )
        self.problem = reason
        return not self._stopping.wait(pause_s)

    def _all_inserted(self) -> list[Segment]:
        with self._wake:
            return sorted(self._inserted.values(), key=lambda s: s.batch_id)

    def _some(self) -> list[Segment]:
        """As many of the oldest inserted segments as one step may take."""
        inserted = self._all_inserted()
        rows = 0
        for count, segment in enumerate(inserted):
            rows += segment.rows
            if rows > _MOST_ROWS_AT_ONCE and count:
                return inserted[:count]
        return inserted

    def _insert_all(self, segments: list[Segment]) -> None:
        if len(segments) == 1:
            self._insert(segments[0])
            return
        # All of them end before the first failure is raised.
        for done in list(self._pool.map(self._try_insert, segments)):
            if done is not None:
                raise done

    def _try_insert(self, segment: Segment) -> Exception | None:
        try:
            self._insert(segment)
        except Exception as error:  # noqa: BLE001 - the caller raises it
            return error
        return None

    def _insert(self, segment: Segment) -> None:
        if segment.batch_id in self._inserted:
            return
        # Or even gone since it was listed: derived from, and deleted, meanwhile.
        if all(segment.batch_id != left.batch_id for left in self._journal.sealed()):
            return
        writer = self._writers.get()
        try:
            self._insert_with(writer, segment)
        finally:
            self._writers.put(writer)

    def _insert_with(self, writer: RawWriter, segment: Segment) -> None:
        doubtful = segment.batch_id in self._doubtful
        if doubtful:
            self._metrics.reconciled_segments.inc()
        try:
            with self._metrics.step_seconds.labels("insert").time():
                since_ns = self._unanswered.get(segment.batch_id)
                writer.insert(segment, doubtful=doubtful, unanswered_since_ns=since_ns)
        except ClickHouseError:
            self._metrics.failures.labels("insert").inc()
            self._doubtful.add(segment.batch_id)
            mended = set_unreadable_aside(self._journal, writer, segment)
            if mended is None:
                raise
            segment = mended
            writer.insert(segment, doubtful=True, unanswered_since_ns=since_ns)
        self._doubtful.discard(segment.batch_id)
        self._metrics.inserted_rows.labels(segment.signal.value).inc(segment.rows)
        with self._wake:
            self._inserted[segment.batch_id] = segment
            self._wake.notify_all()

    def _derive(self, segments: list[Segment]) -> None:
        oldest = min(s.first_received_unix_nano for s in segments)
        self._metrics.lag_seconds.set(max(0.0, time.time() - oldest / 1e9))
        windows = []
        for signal in _DERIVED:
            batches = [s.batch_id for s in segments if s.signal is signal]
            if batches:
                windows.append(Window.of_batches(signal, batches))
        try:
            with self._metrics.step_seconds.labels("derive").time():
                resolved, failed = self._derivation.derive(windows)
            self._metrics.resolved_groups.inc(resolved)
            self._metrics.failed_groups.inc(failed)
        except ClickHouseError:
            self._metrics.failures.labels("derive").inc()
            raise
        for segment in segments:
            self._journal.remove(segment)
            with self._wake:
                self._inserted.pop(segment.batch_id, None)
