"""Running a collector in the foreground: signals, ``endpoints.json``, refusals."""

import json
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.journal.lock import DataLock

SCRIPT = """
    import asyncio, sys
    from pathlib import Path
    from fleetspan_collector.cli._collector import serve
    from fleetspan_collector.config import Endpoints, Settings

    class Quiet:
        "Listens on nothing and takes its time to stop."
        def __init__(self, settings):
            self.patience_s = float(sys.argv[2])

        async def start(self):
            return Endpoints(web="127.0.0.1:1")

        async def stop(self):
            print("stopping", flush=True)
            await asyncio.sleep(self.patience_s)
            print("stopped", flush=True)

    def ready(endpoints):
        print("ready", flush=True)

    settings = Settings(data=Path(sys.argv[1]))
    received = asyncio.run(serve(settings, ready=ready, make=Quiet))
    print(received.name)
"""


def start(data: Path, patience_s: float) -> "subprocess.Popen[str]":
    """Start a process that serves until a signal comes."""
    arguments = [sys.executable, "-c", textwrap.dedent(SCRIPT), str(data)]
    process = subprocess.Popen(
        [*arguments, str(patience_s)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("which", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_order(tmp_path: Path, which: signal.Signals) -> None:
    """The first signal takes the file away, waits for the end, and is exit 0."""
    process = start(tmp_path, 0.0)
    document = json.loads((tmp_path / "endpoints.json").read_text())
    assert (document["web"], document["pid"]) == ("127.0.0.1:1", process.pid)
    process.send_signal(which)
    out, _ = process.communicate(timeout=30)
    assert out == f"stopping\nstopped\n{which.name}\n"
    assert process.returncode == 0
    assert not (tmp_path / "endpoints.json").exists()


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """Who presses Ctrl-C twice does not want to wait."""
    process = start(tmp_path, 3600.0)
    assert process.stdout is not None
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=30)
    assert (out, process.returncode) == ("", -signal.SIGINT)


def test_owned_directory_is_refused_and_names_its_owner(
    process: Any, tmp_path: Path
) -> None:
    """A second ``up`` says who owns the directory, and leaves it alone."""
    import os

    with DataLock(tmp_path / "data"):
        done = process("up")
    assert done.code == 3
    assert done.err.splitlines()[0].startswith("error: the data directory")
    assert f"process {os.getpid()} " in done.err.splitlines()[1]


def test_taken_port_is_refused(process: Any) -> None:
    """A port in use is named, with the flag that moves it."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = process("up", "--grpc", f"127.0.0.1:{port}", "--http", "off")
    assert done.code == 3
    assert done.err.splitlines()[0] == f"error: port {port} is in use"
    assert done.err.splitlines()[2].startswith("try: fleetspan up --grpc 127.0.0.1:0")
