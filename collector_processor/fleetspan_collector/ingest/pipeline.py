"""The thread that empties the journal: insert, derive, delete, in rounds.

A round seals what is open, inserts every sealed segment, derives from all of them at
once, and only then deletes them. So the journal itself remembers how far each step has
come: what a crash leaves there is inserted again (missing rows only) and derived again
(with the same result).
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterable
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.derivation import Derivation, Window
from fleetspan_collector.ingest.bisect import set_unreadable_aside
from fleetspan_collector.ingest.budget import Budget
from fleetspan_collector.ingest.metrics import IngestMetrics
from fleetspan_collector.ingest.raw_writer import RawWriter
from fleetspan_collector.journal import Journal, Segment

logger = logging.getLogger("fleetspan.ingest")

_MOST_ROWS_AT_ONCE: Final = 150_000
"""Rows of one derive step: bounds its memory, and how late the next round is."""

_FIRST_RETRY_S: Final = 0.5
_LAST_RETRY_S: Final = 15.0
_DERIVED: Final = (Signal.TRACES, Signal.LOGS)


class Pipeline:
    """Empties a journal into a store.

    Args:
        journal: Where acknowledged requests are.
        writer: Inserts segments.
        derivation: Derives canonical rows.
        budget: When a round may start.
        metrics: Where it counts.
    """

    def __init__(
        self,
        journal: Journal,
        writer: RawWriter,
        derivation: Derivation,
        budget: Budget,
        metrics: IngestMetrics,
    ) -> None:
        self._journal = journal
        self._writer = writer
        self._derivation = derivation
        self._budget = budget
        self._metrics = metrics
        self._stopping = threading.Event()
        self._wake = threading.Condition()
        self._rounds = 0
        self._inserted: dict[str, Segment] = {}
        # Whatever an earlier process left may be in the store, in whole or in part.
        self._doubtful = {segment.batch_id for segment in journal.sealed()}
        self._failures = 0
        self.problem: str | None = None
        self._thread = threading.Thread(
            target=self._run, name="fleetspan-ingest", daemon=True
        )

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Empty the journal, which must be closed by now, and end.

        A store that cannot be reached is given up on after one attempt: the journal
        keeps what is left for the next start.
        """
        self._stopping.set()
        with self._wake:
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    async def caught_up(self, timeout_s: float) -> bool:
        """Wait until everything acknowledged before the call can be read.

        Returns:
            False when it still cannot after ``timeout_s`` seconds.
        """
        position = self._journal.position()
        if self._journal.passed(position):
            self._budget.looked()
            return True
        self._budget.wait(+1)
        with self._wake:
            self._wake.notify_all()
        deadline = time.monotonic() + timeout_s
        try:
            while not self._journal.passed(position):
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(0.01)
        finally:
            self._budget.wait(-1)
        return True

    def drain(self) -> None:
        """Take every round that there is to take, in the calling thread.

        Raises:
            ClickHouseError: When the store fails.
        """
        self._journal.seal()
        while self._journal.sealed():
            self._round(self._journal.sealed())

    def _run(self) -> None:
        seen = -1
        while True:
            state = self._journal.state()
            full = state.sealed_segments > len(self._inserted)
            if self._stopping.is_set() and not state.open and not state.sealed_segments:
                return
            if not state.open and not state.sealed_segments:
                seen = self._sleep_until_change(max(seen, state.version))
                continue
            pause = 0.0 if full or self._stopping.is_set() else self._pause_s()
            if pause > 0:
                with self._wake:
                    self._wake.wait(pause)
                continue
            if not self._attempt() and self._stopping.is_set():
                logger.warning("the journal keeps what could not be stored")
                return

    def _pause_s(self) -> float:
        return min(self._budget.next_round_in_s(), 0.5)

    def _sleep_until_change(self, seen: int) -> int:
        """Sleep without a timer while there is nothing at all to do."""
        self._metrics.lag_seconds.set(0)
        return self._journal.wait_for_change(seen)

    def _attempt(self) -> bool:
        """One round; a failure is logged once, counted, and tried again later."""
        began = time.monotonic()
        try:
            self._journal.seal()
            self._round(self._some(self._journal.sealed()))
        except (ClickHouseError, OSError) as error:
            self._failed(error)
            return False
        finally:
            self._budget.spent(time.monotonic() - began)
        if self._failures:
            logger.info("the store works again")
        self._failures, self.problem = 0, None
        return True

    def _failed(self, error: Exception) -> None:
        reason = str(error).splitlines()[0][:500]
        if not self._failures:
            logger.error("the store does not take what is journaled: %s", reason)
        self._failures += 1
        self.problem = reason
        pause = min(_FIRST_RETRY_S * 2**self._failures, _LAST_RETRY_S)
        if not self._stopping.is_set():
            self._stopping.wait(pause)

    @staticmethod
    def _some(sealed: list[Segment]) -> list[Segment]:
        """As many of the oldest segments as one round may take, one at least."""
        rows = 0
        for count, segment in enumerate(sealed):
            rows += segment.rows
            if rows > _MOST_ROWS_AT_ONCE and count:
                return sealed[:count]
        return sealed

    def _round(self, segments: list[Segment]) -> None:
        if not segments:
            return
        oldest = min(s.first_received_unix_nano for s in segments)
        self._metrics.lag_seconds.set(max(0.0, time.time() - oldest / 1e9))
        for segment in segments:
            if segment.batch_id not in self._inserted:
                self._insert(segment)
        with self._metrics.step_seconds.labels("derive").time():
            self._derive(segments)
        for segment in segments:
            self._journal.remove(segment)
            self._inserted.pop(segment.batch_id, None)
        self._rounds += 1

    def _insert(self, segment: Segment) -> None:
        doubtful = segment.batch_id in self._doubtful
        if doubtful:
            self._metrics.reconciled_segments.inc()
        try:
            with self._metrics.step_seconds.labels("insert").time():
                self._writer.insert(segment, doubtful=doubtful)
        except ClickHouseError:
            self._metrics.failures.labels("insert").inc()
            self._doubtful.add(segment.batch_id)
            mended = set_unreadable_aside(self._journal, self._writer, segment)
            if mended is None:
                raise
            segment = mended
            self._writer.insert(segment, doubtful=True)
        self._doubtful.discard(segment.batch_id)
        self._inserted[segment.batch_id] = segment
        self._metrics.inserted_rows.labels(segment.signal.value).inc(segment.rows)

    def _derive(self, segments: Iterable[Segment]) -> None:
        windows = []
        for signal in _DERIVED:
            batches = [s.batch_id for s in segments if s.signal is signal]
            if batches:
                windows.append(Window.of_batches(signal, batches))
        if not windows:
            return
        try:
            self._metrics.resolved_groups.inc(self._derivation.derive(windows))
        except ClickHouseError:
            self._metrics.failures.labels("derive").inc()
            raise
