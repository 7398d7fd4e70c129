"""Names of segments."""

from __future__ import annotations

import time

from fleetspan_collector.journal import BatchIds
from fleetspan_collector.journal.batch_id import is_batch_id


def test_ids_rise() -> None:
    """Ids of one source rise, also within one millisecond, and are 26 characters."""
    source = BatchIds()
    ids = [source.next() for _ in range(5000)]
    assert ids == sorted(set(ids))
    assert {len(item) for item in ids} == {26}
    assert all(map(is_batch_id, ids))


def test_id_holds_the_time() -> None:
    """The first ten characters are Unix milliseconds in Crockford's base 32."""
    before = time.time_ns() // 1_000_000
    text = BatchIds().next()
    after = time.time_ns() // 1_000_000
    digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
    value = 0
    for character in text[:10]:
        value = value * 32 + digits.index(character)
    assert before <= value <= after


def test_clock_set_back() -> None:
    """An id is greater than the newest on disk, even when that is of next century."""
    newest = "3ZZZZZZZZZ0000000000000000"
    source = BatchIds(newest)
    assert newest < source.next() < source.next()


def test_other_names_are_no_batch_ids() -> None:
    """A file that somebody put there is not taken for a segment."""
    assert not is_batch_id("notes")
    assert not is_batch_id("01J0000000000000000000000I")
    assert not is_batch_id("81J00000000000000000000000")
