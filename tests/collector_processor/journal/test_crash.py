"""Killing the process, and failing the disk, at moments that matter."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest

from fleetspan_collector._errors import Refused
from fleetspan_collector._signals import Submission
from fleetspan_collector.journal import Journal, read_records

from .conftest import Bench

VICTIM = Path(__file__).with_name("victim.py")


@pytest.mark.slow
def test_killed_under_load(tmp_path: Path, bench: Bench) -> None:
    """Over 30 random kills every acknowledged record is there, once, and whole."""
    chance = random.Random(20)
    acknowledged: set[bytes] = set()
    for _ in range(30):
        with subprocess.Popen(
            [sys.executable, str(VICTIM), "load", str(bench.directory)],
            stdout=subprocess.PIPE,
        ) as victim:
            assert victim.stdout is not None
            lines = [victim.stdout.readline()]
            time.sleep(chance.random() / 10)  # the moment of the kill is the point
            victim.send_signal(signal.SIGKILL)
            lines += victim.stdout.readlines()
        acknowledged |= {line.rstrip(b"\n") for line in lines if line.endswith(b"\n")}
    journal = bench.open()
    held = bench.held(journal)
    assert len(acknowledged) > 100
    assert acknowledged - held.keys() == set()
    assert {payload: n for payload, n in held.items() if n != 1} == {}
    assert (journal.recovery.damaged, journal.recovery.failed) == (0, [])


def _strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    return tried.returncode == 0


needs_strace = pytest.mark.skipif(
    not _strace_works(), reason="strace is not installed or may not trace"
)

# The system calls by which the journal changes, or reads, what is on the disk.
_CALLS = (
    "mkdir,openat,writev,write,ftruncate,fallocate,fdatasync,fsync,rename,unlink,close"
)


class Traced:
    """One life of a segment in a process of its own, with strace on one thread."""

    def __init__(self, directory: Path, phase: str, *options: str) -> None:
        self.log = directory.parent / f"{directory.name}.strace"
        self.lines: list[str] = []
        with subprocess.Popen(
            [sys.executable, str(VICTIM), "steps", str(directory), phase],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as victim:
            assert victim.stdin is not None
            assert victim.stdout is not None
            thread = victim.stdout.readline().split()[1]
            with subprocess.Popen(
                ["strace", "-y", "-o", self.log, "-p", thread, *options],
                stderr=subprocess.PIPE,
                text=True,
            ) as tracer:
                assert tracer.stderr is not None
                attached = tracer.stderr.readline()
                if "attached" not in attached:
                    victim.kill()
                    pytest.skip(f"strace may not attach: {attached.strip()}")
                victim.stdin.write("go\n")
                victim.stdin.flush()
                self.lines = victim.stdout.read().splitlines()
                victim.wait()
                tracer.stderr.read()

    def said(self, kind: str) -> list[str]:
        """Return what follows a word, for every line that begins with it."""
        return [
            line.split(maxsplit=1)[1] for line in self.lines if line.startswith(kind)
        ]


PAYLOADS = ["first", "second", "third", "fourth"]


def _rows_in_the_end(directory: Path, traced: Traced) -> Counter[str]:
    """Open the journal again, send everything again, and return the store's rows.

    The store knows a row by its batch id and its place, so that a batch that was taken
    before the crash is not taken twice.
    """
    rows = set(traced.said("row"))
    with Journal(directory, settings=Bench.settings) as journal:
        for payload in PAYLOADS:
            journal.append(Bench.span(payload.encode(), tenant="t"))
        journal.seal()
        assert (journal.recovery.damaged, journal.recovery.failed) == (0, [])
        rows |= {
            f"{segment.batch_id} {index} {bytes(item.payload).decode()}"
            for segment in journal.sealed()
            for index, item in enumerate(read_records(segment))
        }
    return Counter(row.split()[2] for row in rows)


def _held_records(directory: Path) -> Counter[str]:
    """Open the journal again and return what it holds."""
    with Journal(directory, settings=Bench.settings) as journal:
        assert (journal.recovery.damaged, journal.recovery.failed) == (0, [])
        held = Bench.held(journal)
    return Counter({payload.decode(): n for payload, n in held.items()})


@pytest.mark.slow
@pytest.mark.strace
@needs_strace
@pytest.mark.parametrize("phase", ["caller", "writer"])
def test_killed_at_every_system_call(tmp_path: Path, phase: str) -> None:
    """Killed at any call of a segment's life, no acknowledged record is lost.

    A client sends again what was not acknowledged; each record is then stored once.
    """
    whole = Traced(tmp_path / "whole", phase, "-e", f"trace={_CALLS}")
    assert whole.lines[-1] == "end"
    points: Counter[str] = Counter(
        re.findall(r"^(\w+)\(", whole.log.read_text(), re.MULTILINE)
    )
    assert points["fdatasync"] >= 1
    killed = 0
    for call, times in points.items():
        for number in range(1, times + 1):
            directory = tmp_path / f"{call}-{number}"
            traced = Traced(
                directory,
                phase,
                "-e",
                f"trace={call}",
                "-e",
                f"inject={call}:signal=KILL:when={number}",
            )
            assert "end" not in traced.lines
            acked = {line for line in traced.said("acked")}
            rows = {line.split()[2] for line in traced.said("row")}
            if acked - rows:
                held = set(_held_records(directory))
                assert acked - rows - held == set(), f"killed at {call} {number}"
            assert _rows_in_the_end(directory, traced) == dict.fromkeys(PAYLOADS, 1), (
                f"killed at {call} {number}"
            )
            killed += 1
    assert killed >= {"caller": 20, "writer": 10}[phase]


def _damaged_journal(directory: Path) -> None:
    """Leave a journal with each thing that a recovery has to mend."""
    segments = []
    with Journal(directory, settings=Bench.settings) as journal:
        for payloads in ((b"corrupt", b"a"), (b"b", b"framing", b"c"), (b"d", b"torn")):
            for payload in payloads:
                journal.append(Bench.span(payload, tenant="t"))
            segments += journal.seal()
        first, second, third = segments
    raw = bytearray(first.path.read_bytes())
    raw[raw.index(b"corrupt")] ^= 1
    first.path.write_bytes(raw)
    raw = bytearray(second.path.read_bytes())
    raw[read_records(second)[1].offset] ^= 1
    second.path.write_bytes(raw)
    second.path.rename(second.path.with_suffix(".open"))
    os.truncate(third.path, third.size_bytes - 1)
    third.path.rename(third.path.with_suffix(".open"))


@pytest.mark.slow
@pytest.mark.strace
@needs_strace
def test_recovery_killed_at_every_system_call(tmp_path: Path) -> None:
    """A recovery that was killed anywhere is done again with the same result."""
    _damaged_journal(tmp_path / "whole")
    whole = Traced(tmp_path / "whole", "reopen", "-e", f"trace={_CALLS}")
    assert whole.lines[-1] == "end"
    points = Counter(re.findall(r"^(\w+)\(", whole.log.read_text(), re.MULTILINE))
    assert points["rename"] >= 6
    for call, times in points.items():
        for number in range(1, times + 1):
            directory = tmp_path / f"{call}-{number}"
            _damaged_journal(directory)
            fault = f"inject={call}:signal=KILL:when={number}"
            traced = Traced(directory, "reopen", "-e", f"trace={call}", "-e", fault)
            assert "end" not in traced.lines
            with Journal(directory, settings=Bench.settings) as journal:
                held = Bench.held(journal)
                quarantined = journal.quarantine.counts()
                assert journal.recovery.failed == []
            assert held == dict.fromkeys([b"a", b"b", b"c", b"d"], 1), fault
            assert quarantined == {"corrupt": 1, "framing": 1}, fault


def _life_with(directory: Path, *faults: str) -> Traced:
    """Run one segment's life with faults injected into the journal's thread."""
    return Traced(
        directory, "writer", *(word for item in faults for word in ("-e", item))
    )


@pytest.mark.strace
@needs_strace
@pytest.mark.parametrize("number", [1, 2, 3, 4])
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("fdatasync:error=EIO", "journal_error"),
        ("writev:error=EIO", "journal_error"),
        ("writev:error=ENOSPC", "disk_full"),
        ("writev:error=EDQUOT", "disk_full"),
        ("fdatasync:error=ENOSPC", "disk_full"),
        ("openat:error=ENOSPC", "disk_full"),
        ("fsync:error=EIO", "journal_error"),
    ],
)
def test_failed_call_is_never_acknowledged(
    tmp_path: Path, fault: str, reason: str, number: int
) -> None:
    """A failed write or fsync is refused with its reason; what was safe stays so."""
    call = fault.split(":")[0]
    traced = _life_with(
        tmp_path / "journal", f"trace={call}", f"inject={fault}:when={number}"
    )
    assert traced.lines[-1] == "end"
    assert "(INJECTED)" in traced.log.read_text()
    assert {line.split()[0] for line in traced.said("refused")} <= {reason}
    assert set(traced.said("acked")) == set(PAYLOADS)
    stored = Counter(line.split()[2] for line in traced.said("row"))
    stored += _held_records(tmp_path / "journal")
    assert stored == dict.fromkeys(PAYLOADS, 1)


@pytest.mark.strace
@needs_strace
def test_failed_fsync_poisons_the_segment(tmp_path: Path) -> None:
    """After a failed fsync the retry goes to a new segment, and is stored once.

    The cut of the poisoned segment fails as well, so that what was refused is still
    in its file when the process is killed.
    """
    directory = tmp_path / "journal"
    traced = _life_with(
        directory,
        "trace=fdatasync,ftruncate,rename",
        "inject=fdatasync:error=EIO:when=2",
        "inject=ftruncate:error=EIO",
        "inject=rename:signal=KILL:when=1",
    )
    assert traced.said("acked") == ["first", "second", "first", "third"]
    assert traced.said("refused") == ["journal_error second"]
    files = list((directory / "traces").glob("*.open"))
    assert sum(b"second" in file.read_bytes() for file in files) == 2
    assert _held_records(directory) == {"first": 1, "second": 1, "third": 1}


def test_write_past_the_file_limit(tmp_path: Path) -> None:
    """A write that the system takes only in part is refused, then all goes on.

    The limit on a file's size makes the short write and the failure after it real.
    """
    directory = tmp_path / "journal"
    done = subprocess.run(
        [sys.executable, str(VICTIM), "limit", str(directory), "10000"],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = done.stdout.splitlines()
    assert "refused journal_error" in {line.rsplit(maxsplit=1)[0] for line in lines}
    acked = [line.split()[1] for line in lines if line.startswith("acked")]
    assert len(acked) == 20
    assert _held_records(directory) == dict.fromkeys(acked, 1)


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Path]:
    """A file system of 256 KiB; skipped where one cannot be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)]
    if (
        sys.platform != "linux"
        or subprocess.run(mount, capture_output=True, check=False).returncode
    ):
        pytest.skip("a small file system cannot be mounted (needs Linux and root)")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_full_disk(small_disk: Path) -> None:
    """A full disk refuses, keeps what was safe, and accepts again once it has space.

    Records on it can be taken and removed meanwhile: the reserve pays for that.
    """
    settings = replace(Bench.settings, reserve_bytes=16 * 1024, segment_bytes=40_000)
    acked: list[bytes] = []
    with Journal(small_disk / "journal", settings=settings) as journal:
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(100 * 1024))
        with pytest.raises(Refused) as caught:
            _append_until_refused(journal, acked)
        assert caught.value.reason == "disk_full"
        assert 5 < len(acked) < 20
        _fill(ballast)
        taken = set(Bench.held(journal))
        assert taken == set(acked)
        for segment in journal.sealed():
            journal.remove(segment)
        _accepts_again(journal, Bench.span(b"again"))
        assert journal.append(Bench.span(acked[0])).duplicate
    assert _held_records(small_disk / "journal") == {"again": 1}


def test_recovery_on_a_full_disk(small_disk: Path) -> None:
    """Damage is mended with the reserve when nothing else is left on the disk."""
    settings = replace(Bench.settings, reserve_bytes=64 * 1024)
    directory = small_disk / "journal"
    with Journal(directory, settings=settings) as journal:
        for n in range(4):
            journal.append(Bench.span(b"%d" % n + bytes(5000)))
        (segment,) = journal.seal()
    raw = bytearray(segment.path.read_bytes())
    raw[7000] ^= 1
    segment.path.write_bytes(raw)
    _fill(small_disk / "ballast")
    with Journal(directory, settings=settings) as journal:
        assert journal.recovery.failed == []
        assert (journal.recovery.records, journal.recovery.damaged) == (3, 1)
        assert {payload[:1] for payload in Bench.held(journal)} == {b"0", b"2", b"3"}


def _append_until_refused(journal: Journal, acked: list[bytes]) -> None:
    for n in range(40):
        payload = b"%03d" % n + bytes(9000)
        journal.append(Bench.span(payload))
        acked.append(payload)


def _fill(path: Path) -> None:
    """Make a file as long as the disk lets it be."""
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(512))


def _accepts_again(journal: Journal, submission: Submission) -> None:
    """Send until accepted; the journal pauses for half a second after a full disk."""
    deadline_s = time.monotonic() + 5
    while True:
        try:
            journal.append(submission)
        except Refused:
            assert time.monotonic() < deadline_s
        else:
            return
