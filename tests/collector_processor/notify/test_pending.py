"""What a destination is still to be told: bounded, in order, each thing once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from fleetspan_collector.notify._notice import Notice
from fleetspan_collector.notify._pending import Pending


def notice(subject: str = "f-1", level: int = 1, **given: Any) -> Notice:
    """Return a notice whose body is about 1000 bytes in memory."""
    return Notice(
        **{
            "kind": "finding",
            "tenant": "",
            "subject": subject,
            "run_id": "run-1",
            "detector": "retry_storm",
            "level": level,
            "made_ns": 1,
            "document": {},
            "about": {},
            **given,
        }
    )


def taken(pending: Pending, now_s: float, most: int = 10) -> list[str]:
    """Return the subjects of what is due."""
    return [each.notice.subject for each in pending.take(now_s, most)]


def test_what_is_due_first_comes_first() -> None:
    """In order of when, then of arrival, and only what is due."""
    pending = Pending()
    for subject, due_s in (("late", 3.0), ("a", 1.0), ("b", 1.0), ("later", 9.0)):
        assert pending.offer(notice(subject), due_s)
    assert pending.next_due_s() == 1.0
    assert taken(pending, 5.0, most=2) == ["a", "b"]
    assert taken(pending, 5.0) == ["late"]
    assert taken(pending, 5.0) == []
    assert pending.next_due_s() == 9.0
    assert len(pending) == 1


def test_a_higher_level_takes_the_place_of_a_lower_one() -> None:
    """What rises while it waits is told once, as it is now."""
    pending = Pending()
    pending.offer(notice(level=1), 0.0)
    pending.offer(notice(level=3), 0.0)
    pending.offer(notice(level=2), 0.0)
    (waiting,) = pending.take(0.0, 10)
    assert waiting.notice.level == 3
    # And it is known by then.
    assert pending.offer(notice(level=3), 0.0)
    assert len(pending) == 0


def test_what_is_put_back_does_not_replace_what_is_newer() -> None:
    """A failed attempt of an old severity is of no use any more."""
    pending = Pending()
    pending.offer(notice(level=1), 0.0)
    (old,) = pending.take(0.0, 10)
    pending.offer(notice(level=2), 0.0)
    pending.put_back(old, 0.0)
    assert [each.notice.level for each in pending.take(0.0, 10)] == [2]


def test_it_is_bounded_by_number_and_by_size() -> None:
    """What does not fit is not taken, and not known either."""
    pending = Pending(most=2)
    assert [pending.offer(notice(str(n)), 0.0) for n in range(3)] == [True, True, False]
    assert not pending.knows(("finding", "", "2"))
    small = Pending(most_bytes=2500)
    assert [small.offer(notice(str(n)), 0.0) for n in range(3)] == [True, True, False]
    # Whatever its size, one fits.
    large = notice("large", document={"what": "x" * 10_000})
    assert Pending(most_bytes=2500).offer(large, 0.0)


def test_room_comes_back() -> None:
    """What was taken makes room, in number and in bytes."""
    pending = Pending(most=2, most_bytes=2500)
    for number in range(2):
        pending.offer(notice(str(number)), 0.0)
    assert not pending.half_empty
    taken(pending, 0.0)
    assert pending.half_empty
    assert pending.offer(notice("next"), 0.0)


def test_what_is_known_is_bounded() -> None:
    """The longest known is forgotten first; the store knows it still."""
    pending = Pending(most_remembered=2)
    for number in range(3):
        pending.remember(("finding", "", str(number)), 1)
    known = [pending.knows(("finding", "", str(number))) for number in range(3)]
    assert known == [False, True, True]


def test_what_is_old_is_given_up() -> None:
    """It is taken out, and the rest stays in order."""
    pending = Pending()
    pending.offer(notice("old", made_ns=10), 0.0)
    pending.offer(notice("new", made_ns=20), 0.0)
    assert [each.notice.subject for each in pending.older_than(15)] == ["old"]
    assert taken(pending, 0.0) == ["new"]
    assert pending.next_due_s() is None


class Told(RuleBasedStateMachine):
    """Whatever happens in whatever order: each thing is told as far as it went, once."""

    def __init__(self) -> None:
        super().__init__()
        self.pending = Pending(most=4)
        self.now_s = 0.0
        self.taken: list[Any] = []
        # By subject: how far it was accepted, and the levels that were told of it.
        self.accepted: dict[str, int] = {}
        self.told: dict[str, list[int]] = {}

    @rule(subject=strategies.sampled_from("abcdef"), level=strategies.integers(0, 4))
    def offer(self, subject: str, level: int) -> None:
        """Something is found."""
        if self.pending.offer(notice(subject, level), self.now_s):
            self.accepted[subject] = max(level, self.accepted.get(subject, -1))

    @rule(most=strategies.integers(1, 3), seconds=strategies.floats(0, 5))
    def take(self, most: int, seconds: float) -> None:
        """Some time later it is tried."""
        self.now_s += seconds
        self.taken += self.pending.take(self.now_s, most)

    @rule(works=strategies.booleans(), wait_s=strategies.floats(0, 10))
    def settle(self, works: bool, wait_s: float) -> None:
        """The attempt under way ends."""
        for waiting in self.taken:
            if works:
                told = self.told.setdefault(waiting.notice.subject, [])
                told.append(waiting.notice.level)
            else:
                self.pending.put_back(waiting, self.now_s + wait_s)
        self.taken.clear()

    @invariant()
    def is_bounded(self) -> None:
        """What was put back comes on top, and no more."""
        assert len(self.pending) <= 4 + 6

    def teardown(self) -> None:
        """When everything works, all that was accepted has been told, rising, once."""
        self.settle(works=True, wait_s=0.0)
        for waiting in self.pending.take(self.now_s + 100.0, 100):
            told = self.told.setdefault(waiting.notice.subject, [])
            told.append(waiting.notice.level)
        assert len(self.pending) == 0
        assert {subject: max(levels) for subject, levels in self.told.items()} == (
            self.accepted
        )
        for levels in self.told.values():
            assert len(levels) == len(set(levels))


TestTold = Told.TestCase


@given(strategies.lists(strategies.floats(0, 100), max_size=30))
def test_all_come_in_order(due: list[float]) -> None:
    """Whatever order they came in."""
    pending = Pending()
    for number, due_s in enumerate(due):
        pending.offer(notice(str(number)), due_s)
    order = [int(subject) for subject in taken(pending, 100.0, most=100)]
    assert order == sorted(range(len(due)), key=lambda number: (due[number], number))
