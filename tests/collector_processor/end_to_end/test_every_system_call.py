"""Killing the process at the system calls of one segment's way into the store."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

STEPS = Path(__file__).with_name("steps.py")
EVERY = os.environ.get("FLEETSPAN_TEST_KILL_EVERY_SYSCALL") == "1"
SAMPLE = 20

# By which the collector changes what is on the disk. Opening only to read does not.
_CALLS = (
    "openat,write,writev,pwrite64,pwritev,fdatasync,fsync,rename,renameat,renameat2,"
    "unlink,unlinkat,rmdir,mkdir,mkdirat,ftruncate,fallocate,link,linkat,symlink"
)
_LINE = re.compile(r"^(\d+) +(\w+)\((.*)$")
# Files whose names are made up anew in every life, and folders, which strace does not
# find by the path that `rename` is given.
_NAMED_ANEW = re.compile(r"/[0-9A-Z]{26}\.|/dedup/|/$")
_PROBE = "case_sensitivity_check"
_PATH = re.compile(r'"(/[^"]*)"|^\d+<(/[^>]*)>')


def _strace_works() -> bool:
    if shutil.which("strace") is None:
        return False
    tried = subprocess.run(
        ["strace", "-o", "/dev/null", "true"], capture_output=True, check=False
    )
    return tried.returncode == 0


pytestmark = [
    pytest.mark.slow,
    pytest.mark.strace,
    pytest.mark.timeout(3600 * 4 if EVERY else 300),
    pytest.mark.skipif(
        not _strace_works(), reason="strace is not installed or may not trace"
    ),
]


@dataclass(frozen=True, slots=True)
class Point:
    """The moment before a system call.

    Attributes:
        call: Its name.
        path: The file, below the data directory.
        number: Which call of that name on that file it is, from 1.
        turn: Which call of that name of its thread it is, from 1.
    """

    call: str
    path: str
    number: int
    turn: int

    def fault(self, data: Path) -> tuple[str, ...]:
        """Return the options by which strace kills at this point."""
        call, number = self.call, self.number
        where: tuple[str, ...] = ("-P", str(data / self.path))
        if _NAMED_ANEW.search(f"/{self.path}"):
            where, number = (), self.turn
        kill = f"inject={call}:signal=KILL:when={number}"
        return ("-o", "/dev/null", *where, "-e", f"trace={call}", "-e", kill)


class Nursery:
    """Forks lives of data directories from one process that has imported everything."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, str(STEPS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def close(self) -> None:
        """End it, and a life that hangs."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()

    def _line(self) -> int:
        assert self.process.stdout is not None
        return int(self.process.stdout.readline())

    def _fork(self, life: str, data: Path, out: Path) -> int:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{life} {data} {out}\n")
        self.process.stdin.flush()
        return self._line()

    def live(self, data: Path, *options: str) -> tuple[set[int], bool]:
        """Run one life under strace.

        Returns:
            The requests that were acknowledged, and whether it came to its end.
        """
        out = data.with_name(f"{data.name}.out")
        go = Path(f"{out}.go")
        os.mkfifo(go)
        child = self._fork("live", data, out)
        # Opening waits until the child is there to read: all of it has started then.
        with (
            go.open("w") as gate,
            subprocess.Popen(
                ["strace", "-f", "-p", str(child), *options],
                stderr=subprocess.PIPE,
                text=True,
            ) as tracer,
        ):
            assert tracer.stderr is not None
            attached = tracer.stderr.readline()
            if "attached" not in attached:
                gate.write("go\n")
                gate.flush()
                self._line()
                pytest.skip(f"strace may not attach: {attached.strip()}")
            gate.write("go\n")
            gate.flush()
            status = self._line()
            tracer.stderr.read()
        lines = out.read_text().splitlines()
        ended = "end" in lines
        assert status == (0 if ended else -9), f"{options}: {status}"
        acked = {int(line.split()[1]) for line in lines if line != "end"}
        return acked, ended

    def judge(self, data: Path) -> dict[str, Any]:
        """Open a directory after its life, and return what is in the store."""
        out = data.with_name(f"{data.name}.rows")
        self._fork("judge", data, out)
        assert self._line() == 0
        document: dict[str, Any] = json.loads(out.read_text())
        return document


@pytest.fixture(scope="module")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Generator[Nursery]:
    """A nursery with a folder of its own."""
    nursery = Nursery(tmp_path_factory.mktemp("lives"))
    yield nursery
    nursery.close()


@pytest.fixture(scope="module")
def pristine(nursery: Nursery) -> Path:
    """A data directory with a migrated, empty store: every life begins with a copy."""
    data = nursery.folder / "pristine"
    out = nursery.folder / "pristine.out"
    go = Path(f"{out}.go")
    os.mkfifo(go)
    child = nursery._fork("live", data, out)
    with go.open("w"):
        # It waits with its store open; nothing has been journaled yet.
        os.kill(child, 9)
    assert nursery._line() == -9
    return data


def _copy(pristine: Path, name: str) -> Path:
    data = pristine.with_name(name)
    # Like `copytree`, but the store's links between its folders stay relative or move.
    shutil.copytree(pristine, data, symlinks=True)
    for link in data.rglob("*"):
        if link.is_symlink():
            target = str(link.readlink())
            if target.startswith(f"{pristine}/"):
                link.unlink()
                link.symlink_to(target.replace(str(pristine), str(data), 1))
    return data


def _points(log: Path, data: Path) -> Iterator[Point]:
    """Every traced call on a file of the data directory that changes something."""
    seen: Counter[tuple[str, str]] = Counter()
    turns: Counter[tuple[str, str]] = Counter()
    for line in log.read_text(errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        thread, call, rest = match.groups()
        turns[call, thread] += 1
        found = _PATH.search(rest)
        path = (found.group(1) or found.group(2)) if found else ""
        if not path.startswith(f"{data}/") or _PROBE in path:
            continue
        seen[call, path] += 1
        if call == "openat" and not re.search("O_WRONLY|O_RDWR|O_CREAT", rest):
            continue
        below = path.removeprefix(f"{data}/")
        yield Point(call, below, seen[call, path], turns[call, thread])


def test_killed_at_every_system_call(nursery: Nursery, pristine: Path) -> None:
    """Killed anywhere between journal and deletion, nothing is lost or stands twice.

    Every record that was acknowledged is in the store after a restart; once a client
    has sent again what it had no answer for, all raw and canonical rows equal those
    of a life without a kill.
    """
    whole = _copy(pristine, "whole")
    log = nursery.folder / "whole.strace"
    acked, ended = nursery.live(whole, "-y", "-o", str(log), "-e", f"trace={_CALLS}")
    assert (acked, ended) == ({0, 1, 2, 3, 4}, True)
    truth = nursery.judge(whole)
    assert truth["before"] == {
        name: rows for name, rows in truth["after"].items() if name.startswith("otel")
    }
    assert {name: len(rows) for name, rows in truth["after"].items()} == {
        "otel_traces": 10,
        "otel_logs": 2,
        "otel_metrics_gauge": 2,
        "runs": 3,
        "agents": 5,
        "llm_calls": 3,
        "tool_calls": 2,
    }
    points = list(_points(log, whole))
    assert len(points) > 300
    if not EVERY:
        step = len(points) // SAMPLE
        points = points[random.randrange(step) :: step]
    reached = Counter[bool]()
    wrong = []
    for number, point in enumerate(points):
        data = _copy(pristine, f"kill-{number}")
        acked, ended = nursery.live(data, *point.fault(data))
        reached[not ended] += 1
        try:
            _check(nursery.judge(data), acked, truth)
        except AssertionError as error:
            wrong.append((point, str(error)))
        else:
            shutil.rmtree(data)
    report = f"{reached[True]} of {len(points)} points reached, {len(wrong)} wrong"
    (nursery.folder / "report").write_text(report)
    assert wrong == [], report
    # The engine's own threads do not do the same in the same order every time.
    assert reached[True] > 0.8 * len(points), report


# Which raw rows each request becomes, by a text that only these rows hold.
_OF_REQUEST: dict[int, list[tuple[str, str]]] = {
    0: [("otel_traces", f'"SpanId":"{n:016x}"') for n in (11, 12, 13, 14)],
    1: [("otel_logs", f'"SpanId":"{n:016x}"') for n in (12, 40)],
    2: [("otel_traces", f'"SpanId":"{n:016x}"') for n in (10, 15, 16)],
    3: [("otel_metrics_gauge", f'"Value":{n},') for n in (1, 2)],
    4: [("otel_traces", f'"SpanId":"{n:016x}"') for n in (20, 21, 30)],
}


def _check(found: dict[str, Any], acked: set[int], truth: dict[str, Any]) -> None:
    """Compare what a killed life left with what it acknowledged and with the truth."""
    before = found["before"]
    for request, rows in _OF_REQUEST.items():
        for table, text in rows:
            there = sum(text in row for row in before[table])
            assert there <= 1, f"twice: {request} {table} {text}"
            assert there == 1 or request not in acked, f"lost: {request} {table} {text}"
    for table, rows in truth["after"].items():
        assert found["after"][table] == rows, table
