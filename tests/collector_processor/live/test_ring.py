"""Events by number, and frames of them that many streams share."""

from fleetspan_collector.live.event import Event, make_event
from fleetspan_collector.live.filters import Filter
from fleetspan_collector.live.frames import Frames
from fleetspan_collector.live.ring import Ring


def _events(*names: str, tenant: str = "") -> list[Event]:
    return [make_event(tenant, "span", "info", 0, {"name": name}) for name in names]


def test_numbers_begin_at_one_and_rise_by_one() -> None:
    """Each event has the next number, and what follows one is found by it."""
    ring = Ring()
    ring.add(_events("a", "b", "c"))

    assert ring.head == 3
    gone, found = ring.after(1, 10)
    assert gone == 0
    assert [each.body[-11:] for each in found if each] == [
        b',"name":"b"',
        b',"name":"c"',
    ]


def test_the_oldest_go_when_there_are_too_many() -> None:
    """Who stood before what has gone is told how many those were."""
    ring = Ring(most_events=3)
    ring.add(_events(*"abcdefgh"))

    gone, found = ring.after(2, 10)

    assert (ring.head, gone, len(found)) == (8, 3, 3)


def test_the_oldest_go_when_they_take_too_much() -> None:
    """Memory is bounded whatever the size of events."""
    one = _events("a")[0].size_bytes
    ring = Ring(most_bytes=3 * one)
    ring.add(_events(*"abcdefgh"))

    assert ring.after(0, 10)[0] == 5


def test_numbers_survive_that_the_oldest_go_again_and_again() -> None:
    """Ten thousand events through a ring of ten keep their numbers."""
    ring = Ring(most_events=10)
    for number in range(1, 10_001):
        ring.add(_events(f"e{number}"))

    gone, found = ring.after(9_990, 100)

    assert (ring.head, gone) == (10_000, 0)
    assert [each.body[-8:] for each in found if each][-1] == b'"e10000"'


def test_what_was_never_made_leaves_a_gap_that_is_told_at_its_place() -> None:
    """Events before and after it stay; the listener hears of it between them."""
    ring = Ring()
    ring.add(_events("a"))
    ring.skip(7)
    ring.add(_events("b"))

    frame = Frames(ring).after(0, Filter())

    e = ring.epoch
    at = '"kind":"span","at":"1970-01-01T00:00:00.000000000Z","severity":"info"'
    assert frame.text == (
        f'[{{"id":"{e}-1",{at},"name":"a"}},'
        f'{{"kind":"missed","id":"{e}-8","count":7}},'
        f'{{"id":"{e}-9",{at},"name":"b"}}]'
    )
    assert (frame.place, frame.missed) == (9, 7)


def test_a_gap_that_is_larger_than_the_ring_is_counted_in_full() -> None:
    """Its size takes no memory."""
    ring = Ring(most_events=5)
    ring.add(_events("a", "b"))
    ring.skip(1_000_000)

    frame = Frames(ring).after(0, Filter())

    assert (frame.place, frame.missed) == (1_000_002, 1_000_002)


def test_those_at_one_place_that_want_the_same_share_a_frame() -> None:
    """A frame is made once; another filter, or tenant, has its own."""
    ring = Ring()
    ring.add(_events("a", tenant="x"))
    frames = Frames(ring)

    first = frames.after(0, Filter(sees="x"))

    assert frames.after(0, Filter(sees="x")) is first
    assert not frames.after(0, Filter(sees="y"))
    assert frames.after(0, Filter(sees="y")).place == 1


def test_a_frame_is_bounded() -> None:
    """Who is far behind gets what follows in pieces."""
    ring = Ring()
    ring.add(_events(*("n" * 400,) * 3000))
    frames = Frames(ring)

    first = frames.after(0, Filter())
    second = frames.after(first.place, Filter())

    assert 0 < first.place <= 1000
    assert second.place > first.place
    assert len(first.text) < 600_000


def test_frames_of_another_epoch_are_not_shown() -> None:
    """Numbers begin again when it is not known what went by."""
    ring = Ring()
    frames = Frames(ring)
    ring.add(_events("old"))
    assert '"old"' in frames.after(0, Filter()).text

    ring.renew()
    ring.add(_events("new"))

    assert '"new"' in frames.after(0, Filter()).text
