"""What the hook keeps, and how it is sent later."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from fleetspan_hook import spool as spool_module
from fleetspan_hook.send import flush
from fleetspan_hook.spool import Delivery, all_spools, folder_name, split_endpoint
from tests.collector_processor.claude_code.client.hooks import (
    Receiver,
    assert_unnoticed,
    free_port,
    run_hook,
    spool_at,
)
from tests.collector_processor.running import poll

BODY = b'{"hook_event_name":"SessionStart","session_id":"s-1"}'


def test_the_next_hook_that_finds_a_collector_sends_what_was_kept(
    tmp_path: Path,
) -> None:
    """What was kept goes with its own id and time, once, oldest first."""
    endpoint = f"http://127.0.0.1:{port}" if (port := free_port()) else ""
    spool = spool_at(tmp_path, endpoint)
    for second in range(3):
        body = b'{"n":%d}' % second
        spool.put(Delivery(1_700_000_000_000_000_000 + second, f"id{second}", "", body))
    receiver = Receiver().listen_on(port)
    try:
        assert_unnoticed(run_hook(tmp_path, endpoint, BODY))
        poll(lambda: not spool.names(), "the spool is empty")
    finally:
        receiver.__exit__()
    assert [each.body for each in receiver.requests] == [
        BODY,
        b'{"n":0}',
        b'{"n":1}',
        b'{"n":2}',
    ]
    assert receiver.ids[1:] == ["id0", "id1", "id2"]
    assert (
        receiver.requests[1].headers["x-fleetspan-event-time"] == "1700000000000000000"
    )


def test_one_hook_does_a_bounded_part_of_what_waits(tmp_path: Path) -> None:
    """A long outage is not worked off by a single hook: 64 at a time."""
    with Receiver() as receiver:
        spool = spool_at(tmp_path, receiver.endpoint)
        for number in range(100):
            spool.put(Delivery(10**18 + number, f"id{number}", "", b"{}"))
        assert_unnoticed(run_hook(tmp_path, receiver.endpoint, BODY))
        poll(lambda: len(receiver.requests) == 65, "65 have arrived")
        poll(lambda: len(spool.names()) == 36, "36 still wait")


def test_a_refused_hook_goes_and_is_counted(tmp_path: Path) -> None:
    """An answer that no retry would change does not keep the ones behind it waiting."""
    with Receiver(status=400) as receiver:
        spool = spool_at(tmp_path, receiver.endpoint)
        for number in range(2):
            spool.put(Delivery(10**18 + number, f"id{number}", "", b"no json"))
        assert flush(spool) == (0, 2)
        assert (spool.names(), spool.refused, spool.dropped) == ([], 2, 0)


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_any_other_answer_keeps_what_waits(tmp_path: Path, status: int) -> None:
    """Overload, or another program on the port: it waits, and one attempt is enough."""
    with Receiver(status=status) as receiver:
        spool = spool_at(tmp_path, receiver.endpoint)
        for number in range(2):
            spool.put(Delivery(10**18 + number, f"id{number}", "", b"{}"))
        assert flush(spool) == (0, 0)
        assert (len(spool.names()), len(receiver.requests)) == (2, 1)


def test_the_spool_is_bounded_and_the_oldest_go_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past a number of files or bytes the oldest are given up, and counted."""
    spool = spool_at(tmp_path, "http://127.0.0.1:9")
    for number in range(10):
        spool.put(Delivery(10**18 + number, f"id{number}", "", b"x" * 99))
    monkeypatch.setattr(spool_module, "FILES_AT_MOST", 8)
    spool.bound(time.time_ns())
    assert spool.names()[0].split("-")[1] == "id2"
    monkeypatch.setattr(spool_module, "BYTES_AT_MOST", 300)
    spool.bound(time.time_ns())
    assert [name.split("-")[1] for name in spool.names()] == ["id7", "id8", "id9"]
    assert spool.dropped == 7


def test_a_hook_bounds_the_spool_while_no_collector_runs(tmp_path: Path) -> None:
    """A long outage does not fill the disk: the hook itself keeps the bounds."""
    endpoint = f"http://127.0.0.1:{free_port()}"
    spool = spool_at(tmp_path, endpoint)
    spool.put(Delivery(1, "oldest", "", b"{}"))
    # The size in a name is what counts, so a small file stands for a large one.
    folder = Path(spool.folder)
    (folder / f"{2:020d}-large-{spool_module.BYTES_AT_MOST}").write_bytes(b"")
    assert_unnoticed(run_hook(tmp_path, endpoint, BODY))
    poll(lambda: spool.dropped == 2, "the two oldest are given up")
    assert len(spool.names()) == 1


def test_a_damaged_file_is_counted_and_does_not_stand_in_the_way(
    tmp_path: Path,
) -> None:
    """A file that lost its end with the power is given up; the next is sent."""
    with Receiver() as receiver:
        spool = spool_at(tmp_path, receiver.endpoint)
        first = spool.put(Delivery(10**18, "id0", "", b'{"a":1}'))
        spool.put(Delivery(10**18 + 1, "id1", "", b'{"b":2}'))
        (Path(spool.folder) / str(first)).write_bytes(b"\n{")
        assert flush(spool) == (1, 0)
        assert (receiver.ids, spool.dropped) == (["id1"], 1)


def test_old_drafts_are_cleared_away(tmp_path: Path) -> None:
    """A hook that was killed while writing leaves nothing for ever."""
    spool = spool_at(tmp_path, "http://127.0.0.1:9")
    spool.put(Delivery(10**18, "id0", "", b"{}"))
    draft = Path(spool.folder) / f".draft-{10**18:020d}-id1-2"
    draft.write_bytes(b"")
    spool.bound(time.time_ns())
    assert not draft.exists()
    assert len(spool.names()) == 1


def test_only_one_process_sends_what_waits(tmp_path: Path) -> None:
    """While another one is at it, a flush leaves it to that one."""
    with Receiver() as receiver:
        spool = spool_at(tmp_path, receiver.endpoint)
        spool.put(Delivery(10**18, "id0", "", b"{}"))
        source = (
            "import fcntl, sys\n"
            f"lock = open({spool.folder + '/.lock'!r}, 'w')\n"
            "fcntl.flock(lock, fcntl.LOCK_EX)\n"
            "print('held', flush=True)\n"
            "sys.stdin.read()\n"
        )
        holder = subprocess.Popen(
            [sys.executable, "-c", source],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        with holder:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            assert flush(spool) == (0, 0)
            holder.communicate(b"")
        assert flush(spool) == (1, 0)


def test_what_is_meant_for_one_collector_never_goes_to_another(tmp_path: Path) -> None:
    """Each endpoint has a spool of its own; the names of this machine are one."""
    dead = f"http://127.0.0.1:{free_port()}"
    with Receiver() as receiver:
        assert_unnoticed(run_hook(tmp_path, dead, b'{"for":"dead"}'))
        assert_unnoticed(run_hook(tmp_path, receiver.endpoint, b'{"for":"alive"}'))
        spool = spool_at(tmp_path, receiver.endpoint)
        poll(lambda: receiver.requests and not spool.names(), "it has arrived")
        assert [each.body for each in receiver.requests] == [b'{"for":"alive"}']
    assert len(spool_at(tmp_path, dead).names()) == 1
    assert folder_name("http://localhost:4318/") == folder_name("127.0.0.1:4318")
    assert folder_name("https://a.example") == "https_a.example_443"


def test_endpoints_are_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool remembers where its deliveries were to go."""
    monkeypatch.setenv("FLEETSPAN_SPOOL", str(tmp_path))
    assert all_spools() == []
    spool_at(tmp_path, "https://a.example/otel").put(Delivery(1, "id", "", b"{}"))
    assert [spool.endpoint for spool in all_spools()] == ["https://a.example/otel"]
    assert split_endpoint("https://a.example/otel/") == (
        "https",
        "a.example",
        443,
        "/otel",
    )
    assert split_endpoint("http://[::1]:4318") == ("http", "::1", 4318, "")
