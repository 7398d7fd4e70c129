"""One thread per destination: whoever is slow or dead holds up nobody else."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from fleetspan_collector.notify._attempt import Attempt, Backoff
from fleetspan_collector.notify._destination import (
    FINAL,
    Destination,
    Outcome,
    Verdict,
    clip,
)
from fleetspan_collector.notify._notice import Key, Notice
from fleetspan_collector.notify._pending import Pending, Waiting

logger = logging.getLogger("fleetspan.notify")

_MOST_RETRY_AFTER_S: Final = 900.0
_LOOK_FOR_OLD_S: Final = 60.0


class Worker:
    """Tells one destination, again and again until each notice is told or given up.

    Args:
        destination: Whom.
        record: Takes what was tried; must return at once.
        keep_s: Seconds after which a notice is too old to be told.
        backoff: How long to wait between attempts.
    """

    def __init__(
        self,
        destination: Destination,
        *,
        record: Callable[[Sequence[Attempt]], None],
        keep_s: float,
        backoff: Backoff | None = None,
    ) -> None:
        self.destination = destination
        # Set when there was no room: what is missing is in the store.
        self.behind = True
        self._record = record
        self._keep_ns = int(keep_s * 1e9)
        self._backoff = backoff or Backoff()
        self._pending = Pending()
        self._news = threading.Condition()
        self._stopping = False
        self._failures = 0
        self._failing = False
        self._not_before_s = 0.0
        self._look_for_old_s = 0.0
        self._thread = threading.Thread(
            target=self._run, name=f"fleetspan-notify-{destination.name}", daemon=True
        )

    @property
    def waiting(self) -> int:
        """How many notices wait."""
        with self._news:
            return len(self._pending)

    @property
    def has_room(self) -> bool:
        """Whether it can take many more."""
        with self._news:
            return self._pending.half_empty

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def stop(self) -> None:
        """End what is under way; does not wait for it."""
        with self._news:
            self._stopping = True
            self._news.notify_all()
        self.destination.interrupt()

    def join(self, timeout_s: float) -> bool:
        """Wait until it has ended, and say whether it has."""
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def unknown(self, notices: Iterable[Notice]) -> list[Notice]:
        """Those that it wants and of which it does not know how far they were told."""
        with self._news:
            return [
                each
                for each in notices
                if each in self.destination.wanted and not self._pending.knows(each.key)
            ]

    def remember(self, levels: Iterable[tuple[Key, int]]) -> None:
        """Take note of how far things were told before."""
        with self._news:
            for key, level in levels:
                self._pending.remember(key, level)

    def offer(self, notices: Iterable[Notice]) -> int:
        """Take notices to tell; returns how many there was no room for."""
        now_s = time.monotonic()
        with self._news:
            wanted = [each for each in notices if each in self.destination.wanted]
            lost = sum(not self._pending.offer(each, now_s) for each in wanted)
            if lost:
                self.behind = True
            self._news.notify_all()
        return lost

    def _run(self) -> None:
        while True:
            taken = self._next()
            if not taken:
                return
            try:
                self._tell(taken)
            except Exception:
                # Never the end of the thread: it is in the store and comes again.
                logger.exception("telling %s failed", self.destination.name)

    def _next(self) -> list[Waiting]:
        """Wait for what is due; empty when the worker is to end."""
        with self._news:
            while not self._stopping:
                now_s = time.monotonic()
                self._expire(now_s)
                if now_s >= self._not_before_s:
                    taken = self._pending.take(now_s, self.destination.together)
                    fresh = self._not_too_old(taken)
                    if fresh:
                        return fresh
                    if taken:
                        continue
                due_s = self._pending.next_due_s()
                if due_s is None:
                    self._news.wait()
                else:
                    until_s = max(due_s, self._not_before_s) - now_s
                    self._news.wait(min(max(until_s, 0.0), _LOOK_FOR_OLD_S))
            return []

    def _expire(self, now_s: float) -> None:
        """Give up what is too old, now and then: it may not be due for a long time."""
        if now_s >= self._look_for_old_s:
            self._look_for_old_s = now_s + _LOOK_FOR_OLD_S
            self._not_too_old(self._pending.older_than(self._oldest_ns()))

    def _not_too_old(self, taken: Sequence[Waiting]) -> list[Waiting]:
        oldest_ns = self._oldest_ns()
        old = [each for each in taken if each.notice.made_ns < oldest_ns]
        verdict = Verdict(outcome=Outcome.EXPIRED, answer="too old to be told")
        if old:
            now_ns = time.time_ns()
            self._record([self._attempt([each], now_ns, 0.0, verdict) for each in old])
        return [each for each in taken if each.notice.made_ns >= oldest_ns]

    def _oldest_ns(self) -> int:
        return time.time_ns() - self._keep_ns

    def _tell(self, taken: Sequence[Waiting]) -> None:
        notices = [each.notice for each in taken]
        at_ns, began_s = time.time_ns(), time.monotonic()
        number = max(each.attempts for each in taken) + 1
        try:
            verdicts = self.destination.deliver(notices, number)
        except Exception as error:
            logger.exception("telling %s failed", self.destination.name)
            verdict = Verdict(outcome=Outcome.RETRY, answer=clip(repr(error)))
            verdicts = [verdict] * len(taken)
        seconds = time.monotonic() - began_s
        with self._news:
            settled = [
                (each, self._settled(each, verdict))
                for each, verdict in zip(taken, verdicts, strict=True)
            ]
            self._pace(verdicts)
            for each, verdict in settled:
                if verdict.outcome is Outcome.RETRY:
                    again = Waiting(each.notice, each.attempts + 1)
                    self._pending.put_back(again, self._due_s(again, verdict))
        self._log([verdict for _, verdict in settled])
        self._record(self._attempts(settled, at_ns, seconds))

    def _settled(self, waiting: Waiting, verdict: Verdict) -> Verdict:
        """What becomes of a notice after an attempt."""
        if verdict.outcome in FINAL:
            return verdict
        most = self.destination.attempts
        if self._stopping:
            outcome = Outcome.INTERRUPTED
        elif most is not None and waiting.attempts + 1 >= most:
            outcome = Outcome.GAVE_UP
        else:
            outcome = Outcome.RETRY
        return Verdict(
            outcome=outcome,
            code=verdict.code,
            answer=verdict.answer,
            retry_after_s=verdict.retry_after_s,
            unreachable=verdict.unreachable,
        )

    def _pace(self, verdicts: Sequence[Verdict]) -> None:
        """Leave a destination alone that cannot be had, or asks for it."""
        now_s = time.monotonic()
        asked_s = max((each.retry_after_s or 0.0 for each in verdicts), default=0.0)
        if any(each.unreachable for each in verdicts):
            self._failures += 1
            asked_s = max(asked_s, self._backoff.wait_s(self._failures))
        else:
            self._failures = 0
        self._not_before_s = now_s + min(asked_s, _MOST_RETRY_AFTER_S)

    def _log(self, verdicts: Sequence[Verdict]) -> None:
        """Say when it begins to fail, and when it works again; each failure is counted."""
        bad = [each for each in verdicts if each.outcome is not Outcome.DELIVERED]
        if self._stopping or self._failing == bool(bad):
            return
        self._failing = bool(bad)
        name = self.destination.name
        if bad:
            code = "" if bad[0].code is None else f"{bad[0].code} "
            logger.warning("%s is not told: %s%r", name, code, bad[0].answer[:200])
        else:
            logger.info("%s is told again", name)

    def _due_s(self, again: Waiting, verdict: Verdict) -> float:
        wait_s = 0.0 if verdict.unreachable else self._backoff.wait_s(again.attempts)
        return max(time.monotonic() + wait_s, self._not_before_s)

    def _attempts(
        self, settled: Sequence[tuple[Waiting, Verdict]], at_ns: int, seconds: float
    ) -> list[Attempt]:
        """One per notice; those that are all to be tried again make one together."""
        again = [pair for pair in settled if pair[1].outcome not in FINAL]
        done = [pair for pair in settled if pair[1].outcome in FINAL]
        rows = [
            self._attempt([each], at_ns, seconds, verdict) for each, verdict in done
        ]
        if again:
            together = [each for each, _ in again]
            rows.append(self._attempt(together, at_ns, seconds, again[0][1]))
        return rows

    def _attempt(
        self, waiting: Sequence[Waiting], at_ns: int, seconds: float, verdict: Verdict
    ) -> Attempt:
        return Attempt(
            destination=self.destination.name,
            notices=tuple(each.notice for each in waiting),
            # What expires is not tried once more.
            number=max(each.attempts for each in waiting)
            + (verdict.outcome is not Outcome.EXPIRED),
            at_ns=at_ns,
            seconds=seconds,
            outcome=verdict.outcome,
            code=verdict.code,
            answer=verdict.answer,
        )
