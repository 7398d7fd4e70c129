"""Keeps the record, and hands out what each destination is still to be told.

The one thread of `notify` that talks to the store: no destination waits for the store,
and the store waits for no destination.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from fleetspan_collector.notify._attempt import Attempt
from fleetspan_collector.notify._notice import Notice, findings_of, summaries_of
from fleetspan_collector.notify._pending import MOST_NOTICES
from fleetspan_collector.notify._record import Record
from fleetspan_collector.notify._worker import Worker
from fleetspan_collector.notify.batch import AnalysisBatch
from fleetspan_collector.notify.metrics import NotifyMetrics

logger = logging.getLogger("fleetspan.notify")

_MOST_ROWS: Final = 20_000
"""Rows of batches, and attempts, that wait for the store at most."""
_SWEPT_AT_ONCE: Final = 2 * MOST_NOTICES
_ROUND_S: Final = 1.0
_GATHER_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 30.0


class Clerk:
    """Takes batches and attempts; both return at once.

    Args:
        keep_s: Seconds for which something is worth telling.
        metrics: Where it counts.
    """

    def __init__(self, keep_s: float, metrics: NotifyMetrics) -> None:
        self._keep_s = keep_s
        self._metrics = metrics
        self._record: Record | None = None
        self._workers: Sequence[Worker] = ()
        self._since_ms: Mapping[str, int] = {}
        self._batches: deque[AnalysisBatch] = deque()
        self._rows = 0
        self._attempts: deque[Attempt] = deque()
        self._news = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(
            target=self._run, name="fleetspan-notify", daemon=True
        )

    def start(
        self, record: Record, workers: Sequence[Worker], since_ms: Mapping[str, int]
    ) -> None:
        """Begin to work.

        Args:
            record: The record, from now on the clerk's alone.
            workers: Those who tell.
            since_ms: Since when each is to tell, Unix milliseconds, by name.
        """
        self._record = record
        self._workers = workers
        self._since_ms = since_ms
        self._thread.start()

    def stop(self, timeout_s: float) -> bool:
        """Write down what was tried, and end; say whether that was done in time."""
        with self._news:
            self._stopping = True
            self._news.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def take(self, batch: AnalysisBatch) -> None:
        """Take rows that are to be told; what there is no room for is in the store."""
        with self._news:
            if self._rows + batch.count > _MOST_ROWS:
                self._metrics.deferred.inc(batch.count)
                for worker in self._workers:
                    worker.behind = True
                return
            self._rows += batch.count
            self._batches.append(batch)
            self._news.notify_all()

    def note(self, attempts: Sequence[Attempt]) -> None:
        """Take attempts for the record."""
        for attempt in attempts:
            self._metrics.attempted(attempt)
        with self._news:
            self._attempts.extend(attempts)
            while len(self._attempts) > _MOST_ROWS:
                # Not told of in the record; what was delivered may be told again.
                self._attempts.popleft()
                self._metrics.unrecorded.inc()
            self._news.notify_all()

    def _run(self) -> None:
        record = self._record
        if record is None:
            return
        pause_s = 0.0
        while True:
            ending = self._wait(pause_s)
            try:
                self._round(record, ending=ending)
                pause_s = 0.0
            except Exception:
                if pause_s == 0.0:
                    logger.exception("the record of deliveries cannot be kept for now")
                pause_s = min(max(2 * pause_s, _ROUND_S), _LONGEST_PAUSE_S)
            if ending:
                break
        record.close()

    def _wait(self, pause_s: float) -> bool:
        """Wait for something to do; says whether this round is the last."""
        with self._news:
            if pause_s and not self._stopping:
                self._news.wait_for(lambda: self._stopping, pause_s)
            elif not (self._stopping or self._batches or self._attempts):
                self._news.wait(_ROUND_S)
            if self._attempts and not self._batches and not self._stopping:
                # Attempts come one by one, and each insert has its cost.
                self._news.wait_for(lambda: self._stopping, _GATHER_S)
            return self._stopping

    def _round(self, record: Record, *, ending: bool) -> None:
        self._write(record)
        if ending:
            return
        self._hand_out(record)
        for worker in self._workers:
            self._metrics.waiting.labels(worker.destination.name).set(worker.waiting)
            if worker.behind and worker.has_room:
                self._sweep(record, worker)

    def _write(self, record: Record) -> None:
        with self._news:
            attempts = list(self._attempts)
        if not attempts:
            return
        record.add(attempts)
        with self._news:
            # From the left more may have been dropped meanwhile, never from the right.
            for attempt in attempts:
                if self._attempts and self._attempts[0] is attempt:
                    self._attempts.popleft()

    def _hand_out(self, record: Record) -> None:
        while True:
            with self._news:
                if not self._batches:
                    return
                batch = self._batches[0]
            notices = list(self._notices(batch))
            self._offer(record, notices)
            with self._news:
                self._batches.popleft()
                self._rows -= batch.count

    def _notices(self, batch: AnalysisBatch) -> Iterable[Notice]:
        yield from findings_of(batch.finding_rows(), time.time_ns())
        if any(worker.destination.wanted.runs for worker in self._workers):
            yield from summaries_of(batch.analysis_rows())

    def _offer(self, record: Record, notices: Sequence[Notice]) -> None:
        unknown = {
            each.key for worker in self._workers for each in worker.unknown(notices)
        }
        if unknown:
            names = [worker.destination.name for worker in self._workers]
            told = record.told(names, unknown)
            for worker in self._workers:
                worker.remember(told.get(worker.destination.name, ()))
        for worker in self._workers:
            self._metrics.deferred.inc(worker.offer(notices))

    def _sweep(self, record: Record, worker: Worker) -> None:
        """Look in the store for what a worker has missed."""
        name = worker.destination.name
        oldest_ms = int((time.time() - self._keep_s) * 1000)
        since_ms = max(oldest_ms, self._since_ms[name])
        worker.behind = False
        try:
            wanted = worker.destination.wanted
            notices = record.untold(name, wanted, since_ms, _SWEPT_AT_ONCE)
        except BaseException:
            worker.behind = True
            raise
        worker.offer(notices)
        if len(notices) >= _SWEPT_AT_ONCE:
            worker.behind = True
