"""What users of the journal rely on."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from fleetspan._errors import ConfigError
from fleetspan_collector._errors import Refused
from fleetspan_collector._signals import Accepted, Signal, Submission
from fleetspan_collector.journal import (
    Journal,
    JournalMetrics,
    JournalSettings,
    read_records,
)

from .conftest import Bench


async def test_accept_makes_durable(bench: Bench) -> None:
    """An accepted request stands in a segment file, whole and in order."""
    journal = bench.open()
    for payload in (b"a", b"b", b""):
        assert await journal.accept(bench.span(payload)) == Accepted(duplicate=False)
    (file,) = (bench.directory / "traces").glob("*.open")
    (segment,) = journal.seal()
    assert segment.path == file.with_suffix(".sealed")
    assert segment.size_bytes == segment.path.stat().st_size
    assert [bytes(item.payload) for item in read_records(segment)] == [b"a", b"b", b""]


async def test_every_caller_of_a_group_is_answered(bench: Bench) -> None:
    """Many requests at once, of all signals and from threads too, are all kept."""
    journal = bench.open()
    threads = [
        threading.Thread(target=journal.append, args=(bench.span(b"thread %d" % n),))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    submissions = [
        Submission(signal=signal, tenant="t", payload=b"%d" % n, rows=2)
        for n in range(100)
        for signal in Signal
    ]
    answers = await asyncio.gather(*map(journal.accept, submissions))
    for thread in threads:
        thread.join()
    assert answers == [Accepted(duplicate=False)] * 700
    assert sum(segment.records for segment in journal.seal()) == 708
    rows = {segment.signal: segment.rows for segment in journal.sealed()}
    assert rows == {
        Signal.TRACES: 208,
        Signal.LOGS: 200,
        Signal.METRICS: 200,
        Signal.CLAUDE_HOOKS: 200,
        Signal.TRANSCRIPT_LINES: 200,
        Signal.SNAPSHOTS: 200,
        Signal.SNAPSHOT_CHUNKS: 200,
    }


async def test_cancelled_caller_harms_nobody(bench: Bench) -> None:
    """A caller that goes away leaves its request, and the others', as they are."""
    journal = bench.open()
    gone = asyncio.ensure_future(journal.accept(bench.span(b"gone")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await journal.accept(bench.span(b"stays")) == Accepted()
    assert bench.held(journal) == {b"gone": 1, b"stays": 1}


def test_segments_roll(bench: Bench) -> None:
    """A segment is sealed once it is long enough, in the middle of a group too."""
    journal = bench.open(replace(bench.settings, segment_bytes=1000))
    for n in range(7):
        journal.append(bench.span(b"%d" % n + bytes(400)))
    journal.seal()
    segments = journal.sealed()
    assert [segment.records for segment in segments] == [3, 3, 1]
    ids = [segment.batch_id for segment in segments]
    assert ids == sorted(ids)
    assert bench.held(journal).total() == 7


async def test_group_rolls(bench: Bench) -> None:
    """One group that fills several segments is spread over them, none much too long."""
    journal = bench.open(replace(bench.settings, segment_bytes=1000))
    payloads = [b"%03d" % n + bytes(400) for n in range(60)]
    await asyncio.gather(*(journal.accept(bench.span(item)) for item in payloads))
    journal.seal()
    assert max(segment.size_bytes for segment in journal.sealed()) < 1000 + 500
    assert bench.held(journal) == dict.fromkeys(payloads, 1)


def test_seal_of_one_signal(bench: Bench) -> None:
    """Sealing one signal leaves the others open; an empty journal seals nothing."""
    journal = bench.open()
    assert journal.seal() == []
    for signal in (Signal.TRACES, Signal.LOGS):
        journal.append(Submission(signal=signal, tenant="", payload=b"x", rows=1))
    assert [item.signal for item in journal.seal(Signal.LOGS)] == [Signal.LOGS]
    assert [item.signal for item in journal.state().open] == [Signal.TRACES]


def test_payload_counts_once(bench: Bench) -> None:
    """The same payload of the same tenant and signal is acknowledged, not rewritten."""
    journal = bench.open()
    assert journal.append(bench.span(b"x")) == Accepted(duplicate=False)
    assert journal.append(bench.span(b"x")) == Accepted(duplicate=True)
    assert journal.append(bench.span(b"x", tenant="other")) == Accepted(duplicate=False)
    logs = Submission(signal=Signal.LOGS, tenant="", payload=b"x", rows=1)
    assert journal.append(logs) == Accepted(duplicate=False)
    assert bench.held(journal) == {b"x": 3}


async def test_duplicates_in_one_group(bench: Bench) -> None:
    """Of two equal requests that wait together one is written; both are answered."""
    journal = bench.open()
    answers = await asyncio.gather(
        *(journal.accept(bench.span(b"x")) for _ in range(3))
    )
    assert sorted(answer.duplicate for answer in answers) == [False, True, True]
    assert bench.held(journal) == {b"x": 1}


def test_record_id_decides(bench: Bench) -> None:
    """A given record id names the retry, whatever the payload."""
    journal = bench.open()
    line = Submission(
        signal=Signal.TRANSCRIPT_LINES,
        tenant="",
        payload=b"same",
        rows=1,
        record_id=b"1" * 16,
    )
    assert journal.append(line) == Accepted(duplicate=False)
    assert journal.append(replace(line, record_id=b"2" * 16)) == Accepted()
    assert journal.append(replace(line, payload=b"other")).duplicate


def test_hooks_without_id_are_all_kept(bench: Bench) -> None:
    """Two equal hooks without a delivery id are two hooks."""
    journal = bench.open()
    hook = Submission(signal=Signal.CLAUDE_HOOKS, tenant="", payload=b"{}", rows=1)
    assert not journal.append(hook).duplicate
    assert not journal.append(hook).duplicate
    assert bench.held(journal) == {b"{}": 2}


def test_duplicates_are_known_after_a_restart(bench: Bench) -> None:
    """A retry is recognised after a restart, before and after its segment is removed."""
    first = bench.open()
    first.append(bench.span(b"kept"))
    first.seal()
    first.append(bench.span(b"removed", tenant="a"))
    (segment,) = first.seal()
    first.remove(segment)
    assert first.append(bench.span(b"removed", tenant="a")).duplicate
    first.close()
    second = bench.open()
    assert second.append(bench.span(b"kept")).duplicate
    assert second.append(bench.span(b"removed", tenant="a")).duplicate
    assert not second.append(bench.span(b"removed", tenant="b")).duplicate


def test_window_ends(bench: Bench) -> None:
    """After the window the same payload is a new request, in memory and on disk."""
    settings = replace(bench.settings, dedup_window_s=0.001)
    first = bench.open(settings)
    first.append(bench.span(b"x"))
    (segment,) = first.seal()
    _wait_until(lambda: not first.append(bench.span(b"x")).duplicate)
    first.remove(segment)
    first.close()
    second = bench.open(settings)
    assert not second.append(bench.span(b"x")).duplicate


def test_memory_of_ids_is_bounded(bench: Bench) -> None:
    """Past the cap old ids are forgotten early, and the journal still works."""
    journal = bench.open(replace(bench.settings, max_dedup_ids=10))
    for n in range(50):
        assert not journal.append(bench.span(b"%d" % n)).duplicate
    assert not journal.append(bench.span(b"0")).duplicate


def test_removed_segment_is_gone(bench: Bench) -> None:
    """A removed segment leaves no file, and a second removal does nothing."""
    journal = bench.open()
    journal.append(bench.span(b"x"))
    (segment,) = journal.seal()
    journal.remove(segment)
    journal.remove(segment)
    assert journal.sealed() == []
    assert not segment.path.exists()


def test_position_is_passed_when_all_before_is_removed(bench: Bench) -> None:
    """A reader that waits for its own writes waits for these and no later ones."""
    journal = bench.open()
    journal.append(bench.span(b"1"))
    position = journal.position()
    assert not journal.passed(position)
    (first,) = journal.seal()
    assert not journal.passed(position)
    journal.append(bench.span(b"2"))
    journal.remove(first)
    assert journal.passed(position)
    assert not journal.passed(journal.position())


def test_waiting_thread_is_woken(bench: Bench) -> None:
    """A thread that sleeps wakes for a first record, a seal, a removal and the end."""
    journal = bench.open()
    seen = journal.state().version
    for act in (
        lambda: journal.append(bench.span(b"x")),
        journal.seal,
        lambda: journal.remove(journal.sealed()[0]),
        journal.close,
    ):
        woken: list[int] = []
        sleeper = threading.Thread(
            target=lambda known=seen, to=woken: to.append(
                journal.wait_for_change(known, 60)
            )
        )
        sleeper.start()
        act()
        sleeper.join()
        assert woken[0] > seen
        seen = journal.state().version
    assert journal.state().closed


def test_wait_ends_with_its_time(bench: Bench) -> None:
    """With no news a wait returns the version that the caller knew."""
    journal = bench.open()
    version = journal.state().version
    assert journal.wait_for_change(version, 0.001) == version


def test_state_tells_what_is_open(bench: Bench) -> None:
    """The state names the open segments with bytes, records, rows and age."""
    journal = bench.open()
    journal.append(bench.span(b"x" * 1000, rows=7))
    state = journal.state()
    (held,) = state.open
    assert (held.signal, held.records, held.rows) == (Signal.TRACES, 1, 7)
    assert 1000 < held.size_bytes < 1100
    assert held.age_s >= 0
    journal.seal()
    sealed = journal.state()
    assert (sealed.open, sealed.sealed_segments) == ((), 1)
    assert sealed.sealed_bytes == held.size_bytes


def test_full_journal_refuses(bench: Bench) -> None:
    """Past its size the journal refuses; after a removal it accepts again."""
    journal = bench.open(replace(bench.settings, segment_bytes=1000, max_bytes=3000))
    for n in range(2):
        journal.append(bench.span(b"%d" % n + bytes(1000)))
    with pytest.raises(Refused) as caught:
        journal.append(bench.span(b"2" + bytes(1000)))
    assert caught.value.reason == "journal_full"
    assert 0 < caught.value.retry_after_s <= 2
    for segment in journal.sealed():
        journal.remove(segment)
    assert journal.append(bench.span(b"again")) == Accepted()


def test_disk_floor_refuses(bench: Bench) -> None:
    """With less free space than the floor the journal refuses."""
    journal = bench.open(replace(bench.settings, min_free_bytes=1 << 62))
    with pytest.raises(Refused) as caught:
        journal.append(bench.span(b"x"))
    assert caught.value.reason == "disk_floor"
    assert bench.held(journal) == {}


async def test_queue_is_bounded(bench: Bench) -> None:
    """Requests that would wait in too much memory are refused; the others are kept."""
    journal = bench.open(replace(bench.settings, max_waiting_bytes=10_000))
    payloads = [b"%03d" % n + bytes(4000) for n in range(50)]
    answers = await asyncio.gather(
        *(journal.accept(bench.span(item)) for item in payloads),
        return_exceptions=True,
    )
    refused = [item.reason for item in answers if isinstance(item, Refused)]
    accepted = {
        payload
        for payload, answer in zip(payloads, answers, strict=True)
        if answer == Accepted()
    }
    assert set(refused) == {"queue_full"}
    assert len(refused) + len(accepted) == 50
    assert bench.held(journal) == dict.fromkeys(accepted, 1)
    assert await journal.accept(bench.span(bytes(50_000))) == Accepted()


def test_closed_journal_refuses(bench: Bench) -> None:
    """A closed journal refuses, and closing it again does no harm."""
    journal = bench.open()
    journal.append(bench.span(b"x"))
    journal.close()
    journal.close()
    with pytest.raises(Refused) as caught:
        journal.append(bench.span(b"y"))
    assert caught.value.reason == "closed"
    assert journal.seal() == []
    assert [segment.records for segment in journal.sealed()] == [1]


@pytest.mark.parametrize(
    "wrong",
    [
        replace(Bench.span(b"x"), tenant="x" * 2000),
        replace(Bench.span(b"x"), rows=-1),
        replace(Bench.span(b"x"), rows=1 << 32),
        replace(Bench.span(b"x"), record_id=b"short"),
    ],
)
def test_submission_that_cannot_be_written(bench: Bench, wrong: Submission) -> None:
    """What cannot be written is an error of its caller and of nobody else."""
    journal = bench.open()
    with pytest.raises(ValueError, match="must be"):
        journal.append(wrong)
    assert journal.append(bench.span(b"y")) == Accepted()


def test_metrics_count(bench: Bench) -> None:
    """Records, rows, bytes, duplicates and refusals are counted."""
    registry = CollectorRegistry()
    with Journal(
        bench.directory,
        settings=replace(bench.settings, segment_bytes=400, max_bytes=1400),
        metrics=JournalMetrics(registry),
    ) as journal:
        journal.append(bench.span(b"x" * 500, rows=5))
        journal.append(bench.span(b"x" * 500, rows=5))
        with pytest.raises(Refused):
            journal.append(bench.span(bytes(901)))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"fleetspan_journal_{name}", labels)

    assert value("records_total", signal="traces") == 1
    assert value("rows_total", signal="traces") == 5
    assert value("payload_bytes_total", signal="traces") == 500
    assert value("duplicates_total", signal="traces") == 1
    assert value("refused_total", reason="journal_full") == 1
    assert value("fsync_seconds_count") == 1
    assert value("group_size_count") == 2
    assert value("sealed_segments") == 1
    assert value("open_bytes", signal="traces") == 0
    assert value("waiting_bytes") == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"segment_bytes": 0}, "journal.segment_bytes: must be more than 0, got 0"),
        ({"dedup_window_s": -1}, "journal.dedup_window_s: must be more than 0, got -1"),
        ({"max_bytes": 5}, "journal.segment_bytes: must be at most"),
    ],
)
def test_settings_are_checked(change: dict[str, int], message: str) -> None:
    """A setting out of its range is refused with its name, value and bound."""
    with pytest.raises(ConfigError, match=message):
        JournalSettings(**change)


def _wait_until(condition: Callable[[], bool], deadline_s: float = 30) -> None:
    end = time.monotonic() + deadline_s
    while not condition():
        assert time.monotonic() < end, "the condition never came true"
