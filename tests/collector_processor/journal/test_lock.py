"""One process owns a data directory."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.journal import DataLock, read_owner

_HOLD = """
import sys
from pathlib import Path
from fleetspan_collector.journal import DataLock
lock = DataLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_second_process_is_told_who_owns(tmp_path: Path) -> None:
    """A held directory names its owner's pid, and is free once the owner is killed."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"held\n"
        with pytest.raises(UnreachableError) as caught:
            DataLock(tmp_path)
        assert f"process {owner.pid} has owned it since 2" in caught.value.because
        assert f"kill {owner.pid}" in caught.value.suggestion
        assert caught.value.exit_code == 3
        owner.send_signal(signal.SIGKILL)
    with DataLock(tmp_path):
        assert read_owner(tmp_path)["pid"] == os.getpid()


def test_lock_is_free_after_close(tmp_path: Path) -> None:
    """A closed lock can be taken again; closing twice does no harm."""
    lock = DataLock(tmp_path)
    lock.close()
    lock.close()
    DataLock(tmp_path).close()


def test_same_process_cannot_own_twice(tmp_path: Path) -> None:
    """A second lock in the same process is refused too."""
    with DataLock(tmp_path), pytest.raises(UnreachableError):
        DataLock(tmp_path)


def test_owner_that_cannot_be_read(tmp_path: Path) -> None:
    """A lock file with nothing useful in it still gives an answer."""
    with DataLock(tmp_path) as lock:
        lock.path.write_bytes(b"?")
        with pytest.raises(UnreachableError, match="another process holds its lock"):
            DataLock(tmp_path)
