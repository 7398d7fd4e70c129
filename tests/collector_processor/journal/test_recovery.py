"""Opening a journal after a crash, a cut or a flipped byte."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_collector.journal import Journal, read_records
from fleetspan_collector.journal.record import scan, seed

from .conftest import Bench

WriteSegment = Callable[[list[bytes]], Path]

PAYLOADS = [b"one", b"two" * 20, b"", b"four"]


def _ends(path: Path) -> list[int]:
    """Return where each record of an intact segment ends."""
    pieces = scan(path.read_bytes(), seed(path.stem))
    return [piece.offset + piece.length for piece in pieces]


def test_open_segment_is_sealed(bench: Bench, segment_file: WriteSegment) -> None:
    """What a dead process left open is sealed under its name, whole."""
    path = segment_file(PAYLOADS)
    journal = bench.open()
    (segment,) = journal.sealed()
    assert segment.path == path.with_suffix(".sealed")
    assert (segment.records, segment.rows) == (4, 4)
    assert segment.size_bytes == segment.path.stat().st_size
    report = journal.recovery
    assert (report.segments, report.records, report.rows) == (1, 4, 4)
    assert (report.bytes_cut, report.damaged, report.failed) == (0, 0, [])
    assert bench.held(journal) == dict.fromkeys(PAYLOADS, 1)


def test_new_segments_come_after_old(bench: Bench, segment_file: WriteSegment) -> None:
    """Batch ids rise across a restart, even when the clock was set back meanwhile."""
    path = segment_file([b"old"])
    later = "3" + path.stem[1:]
    path.with_stem(later).write_bytes(b"")
    journal = bench.open()
    journal.append(bench.span(b"new"))
    (newest,) = journal.position().values()
    assert newest > later


def test_cut_at_every_byte(bench: Bench, segment_file: WriteSegment) -> None:
    """Wherever the file ends, exactly the whole records are kept and the rest counted."""
    path = segment_file(PAYLOADS)
    data = path.read_bytes()
    ends = [0, *_ends(path)]
    path.unlink()
    for length in range(len(data) + 1):
        directory = bench.directory.parent / f"cut-{length}"
        (directory / "traces").mkdir(parents=True)
        (directory / "traces" / path.name).write_bytes(data[:length])
        whole = sum(end <= length for end in ends[1:])
        with Journal(directory, settings=bench.settings) as journal:
            assert journal.recovery.records == whole
            assert journal.recovery.bytes_cut == length - ends[whole]
            assert bench.held(journal) == dict.fromkeys(PAYLOADS[:whole], 1)
            assert journal.quarantine.list() == []
        with Journal(directory, settings=bench.settings) as journal:
            assert journal.recovery.bytes_cut == 0
            assert journal.recovery.records == whole


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_flipped_byte(data: st.DataObject) -> None:
    """Whatever byte is wrong, the journal opens, reports it and keeps the others."""
    with tempfile.TemporaryDirectory() as folder:
        directory = Path(folder)
        with Journal(directory, settings=Bench.settings) as journal:
            for payload in PAYLOADS:
                journal.append(Bench.span(payload))
            (segment,) = journal.seal()
        ends = _ends(segment.path)
        raw = bytearray(segment.path.read_bytes())
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place] ^= data.draw(st.integers(1, 255))
        segment.path.unlink()
        suffix = data.draw(st.sampled_from([".open", ".sealed"]))
        segment.path.with_suffix(suffix).write_bytes(raw)
        hit = sum(end <= place for end in ends)
        rest = PAYLOADS[:hit] + PAYLOADS[hit + 1 :]
        with Journal(directory, settings=Bench.settings) as journal:
            report = journal.recovery
            assert report.records == 3
            assert report.damaged + bool(report.bytes_cut) == 1
            kept = sum(item.size_bytes for item in journal.quarantine.list())
            assert kept == report.damaged_bytes
            lost = ends[hit] - (ends[hit - 1] if hit else 0)
            assert report.damaged_bytes + report.bytes_cut == lost
            assert Bench.held(journal) == dict.fromkeys(rest, 1)
        with Journal(directory, settings=Bench.settings) as journal:
            assert (journal.recovery.damaged, journal.recovery.records) == (0, 3)


def test_damage_is_kept_with_its_reason(
    bench: Bench, segment_file: WriteSegment
) -> None:
    """A corrupt record goes to quarantine as it is, with a reason in JSON."""
    path = segment_file(PAYLOADS)
    start, end, *_ = _ends(path)
    raw = bytearray(path.read_bytes())
    raw[end - 1] ^= 0xFF
    path.write_bytes(raw)
    journal = bench.open()
    (item,) = journal.quarantine.list()
    assert item.path.read_bytes() == raw[start:end]
    reason = json.loads(item.path.with_suffix(".json").read_text())
    assert reason["reason"] == "corrupt"
    assert reason["batch_id"] == path.stem
    assert reason["detail"] == f"{end - start} damaged bytes at byte {start}"
    assert journal.quarantine.counts() == {"corrupt": 1}
    assert journal.append(bench.span(PAYLOADS[1])).duplicate is False


def test_recovery_can_be_cut_short(bench: Bench, segment_file: WriteSegment) -> None:
    """Scrap of a recovery that was killed is removed, and its work done again."""
    path = segment_file(PAYLOADS)
    path.with_name(path.name + ".aside").write_bytes(b"half")
    journal = bench.open()
    assert journal.recovery.records == 4
    assert [item.name for item in path.parent.iterdir()] == [path.stem + ".sealed"]


def test_record_that_was_retried_is_not_doubled(
    bench: Bench, segment_file: WriteSegment
) -> None:
    """A record that a failed write left behind goes when its retry was journaled.

    The retry may stand in a later segment, or have been ingested and removed since.
    """
    left_behind = segment_file([b"retried", b"removed", b"other"])
    aside = bench.directory.parent / left_behind.name
    shutil.move(left_behind, aside)
    shutil.rmtree(bench.directory / "dedup")
    with Journal(bench.directory, settings=bench.settings) as journal:
        journal.append(bench.span(b"removed"))
        journal.remove(journal.seal()[0])
        journal.append(bench.span(b"retried"))
    shutil.move(aside, left_behind)
    journal = bench.open()
    assert journal.recovery.duplicates == 2
    assert bench.held(journal) == {b"retried": 1, b"other": 1}


def test_sealed_segment_keeps_its_records(
    bench: Bench, segment_file: WriteSegment
) -> None:
    """A sealed segment is left as it is: its rows may be in the store already."""
    first = segment_file([b"x"]).read_bytes()
    journal = bench.open()
    journal.close()
    (segment,) = journal.sealed()
    shutil.rmtree(bench.directory / "dedup")
    (bench.directory / "dedup").mkdir()
    again = bench.open()
    assert again.recovery.duplicates == 0
    assert again.sealed()[0].path.read_bytes() == first
    assert again.sealed()[0] == segment


def test_unreadable_segment_does_not_stop_the_rest(
    bench: Bench, segment_file: WriteSegment
) -> None:
    """A segment that cannot be read is reported and left; the others are recovered."""
    segment_file([b"x"])
    unreadable = bench.directory / "traces" / "01J00000000000000000000000.open"
    unreadable.mkdir()
    journal = bench.open()
    ((path, problem),) = journal.recovery.failed
    assert path == unreadable
    assert "Is a directory" in problem
    assert bench.held(journal) == {b"x": 1}


def test_foreign_files_are_left_alone(bench: Bench, segment_file: WriteSegment) -> None:
    """A file that is no segment stays where it is."""
    segment_file([b"x"])
    note = bench.directory / "traces" / "note.open"
    note.write_text("mine")
    bench.open()
    assert note.read_text() == "mine"


def test_id_log_with_a_torn_end(bench: Bench) -> None:
    """The ids before a torn block are known; the log goes on in another file."""
    first = bench.open()
    first.append(bench.span(b"x"))
    first.remove(first.seal()[0])
    first.close()
    (log,) = (bench.directory / "dedup").iterdir()
    log.write_bytes(log.read_bytes() + b"\x01\x02\x03")
    second = bench.open()
    assert second.append(bench.span(b"x")).duplicate
    second.append(bench.span(b"y"))
    second.remove(second.seal()[0])
    second.close()
    third = bench.open()
    assert third.append(bench.span(b"x")).duplicate
    assert third.append(bench.span(b"y")).duplicate


def test_old_id_logs_are_deleted(bench: Bench) -> None:
    """A file of ids that nobody needs any more is deleted when the journal opens."""
    short = replace(bench.settings, dedup_window_s=0.2)
    first = bench.open()
    first.append(bench.span(b"x"))
    first.remove(first.seal()[0])
    first.close()
    (log,) = (bench.directory / "dedup").iterdir()
    while log.exists():
        bench.open(short).close()


def test_engine_refusal_is_set_aside(bench: Bench) -> None:
    """Chosen records go to quarantine with a reason; their neighbours stay in order."""
    journal = bench.open()
    for payload in PAYLOADS:
        journal.append(bench.span(payload, tenant="acme", rows=5))
    (segment,) = journal.seal()
    left = journal.set_aside(segment, [1, 3], reason="refused", detail="Code: 33")
    assert journal.sealed() == [left]
    assert (left.batch_id, left.records, left.rows) == (segment.batch_id, 2, 10)
    assert left.size_bytes == left.path.stat().st_size
    assert [bytes(item.payload) for item in read_records(left)] == [b"one", b""]
    found = journal.quarantine.list()
    assert {(item.reason, item.detail, item.rows, item.tenant) for item in found} == {
        ("refused", "Code: 33", 5, "acme")
    }
    journal.close()
    again = bench.open()
    assert again.sealed() == [left]
    assert again.recovery.damaged == 0


def test_segment_without_any_record_left(bench: Bench) -> None:
    """A segment whose records are all refused is removed like any other."""
    journal = bench.open()
    journal.append(bench.span(b"x"))
    (segment,) = journal.seal()
    left = journal.set_aside(segment, [0], reason="refused", detail="no")
    assert left.records == 0
    journal.remove(left)
    assert journal.sealed() == []
    assert journal.append(bench.span(b"x")).duplicate


def test_move_to_quarantine_can_be_repeated(bench: Bench) -> None:
    """A move that a crash cut short after the copy is done again without a second copy."""
    journal = bench.open()
    journal.append(bench.span(b"x"))
    journal.append(bench.span(b"y"))
    (segment,) = journal.seal()
    before = segment.path.read_bytes()
    journal.set_aside(segment, [0], reason="refused", detail="no")
    segment.path.write_bytes(before)
    journal.set_aside(segment, [0], reason="refused", detail="no")
    assert len(journal.quarantine.list()) == 1
    assert [bytes(item.payload) for item in read_records(segment)] == [b"y"]


def test_quarantine_is_bounded(bench: Bench) -> None:
    """Past its size the oldest quarantined records go, the newest stays."""
    journal = bench.open(replace(bench.settings, max_quarantine_bytes=1000))
    for n in range(5):
        journal.append(bench.span(b"%d" % n + bytes(400)))
    (segment,) = journal.seal()
    for _ in range(5):
        segment = journal.set_aside(segment, [0], reason="refused", detail="no")
    kept = [item.path.read_bytes()[-401:-400] for item in journal.quarantine.list()]
    assert kept == [b"3", b"4"]
