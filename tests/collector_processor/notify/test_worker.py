"""One destination's thread: order, pace, giving up, and what is recorded."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

import pytest

from fleetspan_collector.notify._attempt import Attempt, Backoff
from fleetspan_collector.notify._destination import Outcome, Verdict, Wanted
from fleetspan_collector.notify._notice import Notice
from fleetspan_collector.notify._worker import Worker

from ..running import poll
from .test_pending import notice

DELIVERED = Verdict(outcome=Outcome.DELIVERED)
RETRY = Verdict(outcome=Outcome.RETRY, code=500, answer="later")
FAST = Backoff(first_s=0.01, most_s=0.02)


class Scripted:
    """A destination whose verdicts are planned, the last one for ever."""

    name = "scripted"
    wanted = Wanted()

    def __init__(
        self,
        *plan: Verdict | Callable[[], Verdict],
        together: int = 1,
        attempts: int | None = None,
    ) -> None:
        self.together = together
        self.attempts = attempts
        self.told: list[list[str]] = []
        self.interrupted = threading.Event()
        self._plan = plan

    def deliver(self, notices: Sequence[Notice], attempt: int) -> Sequence[Verdict]:
        """Do as planned."""
        self.told.append([each.subject for each in notices])
        step = self._plan[min(len(self.told), len(self._plan)) - 1]
        verdict = step if isinstance(step, Verdict) else step()
        return [verdict] * len(notices)

    def interrupt(self) -> None:
        """End what is under way."""
        self.interrupted.set()


@contextmanager
def working(
    destination: Scripted, *, keep_s: float = 3600.0, backoff: Backoff = FAST
) -> Generator[tuple[Worker, list[Attempt]]]:
    """Run a worker; yields it and what it records."""
    attempts: list[Attempt] = []
    worker = Worker(destination, record=attempts.extend, keep_s=keep_s, backoff=backoff)
    worker.start()
    try:
        yield worker, attempts
    finally:
        worker.stop()
        assert worker.join(10)


def fresh(subject: str, level: int = 1) -> Notice:
    """Return a notice of now."""
    return notice(subject, level, made_ns=time.time_ns())


def recorded(attempts: Sequence[Attempt]) -> list[tuple[int, str]]:
    """Return number and outcome of each attempt."""
    return [(each.number, str(each.outcome)) for each in attempts]


def test_what_is_too_old_is_not_told() -> None:
    """It is recorded as expired, with the number of attempts that were made: none."""
    destination = Scripted(DELIVERED)
    with working(destination, keep_s=60) as (worker, attempts):
        old = notice("old", made_ns=time.time_ns() - 61_000_000_000)
        worker.offer([old, fresh("new")])
        poll(lambda: len(attempts) == 2, "both are settled")
    assert recorded(attempts) == [(0, "expired"), (1, "delivered")]
    assert destination.told == [["new"]]


def test_without_a_limit_it_is_tried_again_and_again() -> None:
    """``attempts`` of None: until it is too old."""
    destination = Scripted(*[RETRY] * 30, DELIVERED)
    with working(destination) as (worker, attempts):
        worker.offer([fresh("a")])
        poll(lambda: len(attempts) == 31, "it is told")
    assert recorded(attempts)[-1] == (31, "delivered")


def test_a_receiver_that_cannot_be_had_is_left_alone() -> None:
    """While it is away, nothing at all is tried; others do not pay for the first."""
    away = Verdict(outcome=Outcome.RETRY, unreachable=True)
    destination = Scripted(away, DELIVERED)
    backoff = Backoff(first_s=0.4, most_s=0.4)
    with working(destination, backoff=backoff) as (worker, attempts):
        worker.offer([fresh(name) for name in "abc"])
        poll(lambda: len(attempts) == 4, "all are told")
    assert len(destination.told) == 4
    waited_s = (attempts[1].at_ns - attempts[0].at_ns) / 1e9
    # The back-off is jittered by a quarter.
    assert waited_s >= 0.29


def test_a_failure_of_one_does_not_hold_up_the_next() -> None:
    """A receiver that is there and refuses one is told of the others meanwhile."""
    destination = Scripted(RETRY, DELIVERED)
    slow = Backoff(first_s=3600.0, most_s=3600.0)
    with working(destination, backoff=slow) as (worker, attempts):
        worker.offer([fresh(name) for name in "abc"])
        poll(lambda: len(attempts) == 3, "the others are told")
        assert worker.waiting == 1
    assert destination.told == [["a"], ["b"], ["c"]]


def test_a_batch_that_fails_is_one_attempt() -> None:
    """What is tried again together is recorded together, what is told each for itself."""
    destination = Scripted(RETRY, DELIVERED, together=10)
    with working(destination) as (worker, attempts):
        worker.offer([fresh(name) for name in "abc"])
        poll(lambda: len(attempts) >= 4, "all are told")
    assert recorded(attempts[:1]) == [(1, "retry")]
    assert len(attempts[0].notices) == 3
    assert {str(each.outcome) for each in attempts[1:]} == {"delivered"}
    assert [len(each.notices) for each in attempts[1:]] == [1, 1, 1]


def test_a_destination_that_raises_is_tried_again(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A mistake of ours ends no thread."""

    def mistake() -> Verdict:
        raise ValueError("a mistake")

    destination = Scripted(mistake, DELIVERED)
    with working(destination) as (worker, attempts):
        worker.offer([fresh("a")])
        poll(lambda: len(attempts) == 2, "it is told")
    assert recorded(attempts) == [(1, "retry"), (2, "delivered")]
    assert attempts[0].answer == "ValueError('a mistake')"


def test_a_stop_interrupts() -> None:
    """What is under way ends, is recorded, and nothing is begun after it."""
    destination = Scripted(DELIVERED)

    def until_interrupted() -> Verdict:
        destination.interrupted.wait(30)
        return RETRY

    destination._plan = (until_interrupted,)
    with working(destination) as (worker, attempts):
        worker.offer([fresh("a"), fresh("b")])
        poll(lambda: destination.told, "it has begun")
    assert recorded(attempts) == [(1, "interrupted")]
    assert destination.told == [["a"]]


def test_the_log_says_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    """Once when it begins to fail, once when it works again."""
    caplog.set_level(logging.INFO, "fleetspan.notify")
    destination = Scripted(RETRY, RETRY, RETRY, DELIVERED)
    with working(destination) as (worker, attempts):
        worker.offer([fresh("a")])
        poll(lambda: len(attempts) == 4, "it is told")
        worker.offer([fresh("b")])
        poll(lambda: len(attempts) == 5, "the next one is told")
    assert [record.getMessage() for record in caplog.records] == [
        "scripted is not told: 500 'later'",
        "scripted is told again",
    ]


def test_back_off() -> None:
    """Twice as long each time, up to the longest, jittered by a quarter."""
    backoff = Backoff(first_s=1.0, most_s=300.0)
    for failures, seconds in ((1, 1.0), (2, 2.0), (5, 16.0), (9, 256.0), (500, 300.0)):
        waits = [backoff.wait_s(failures) for _ in range(100)]
        assert seconds * 0.75 <= min(waits) < max(waits) <= seconds * 1.25
