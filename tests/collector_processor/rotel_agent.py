"""Rotel, a collector in Rust that is not ours."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import socket
import subprocess
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

from tests.collector_processor.running import environment, poll


@dataclass(frozen=True)
class Rotel:
    """A running one, and where it listens."""

    process: subprocess.Popen[bytes]
    grpc: str
    http: str


def rotel_program() -> Path | None:
    """Return the program of the ``rotel`` package, or ``None`` without it."""
    found = importlib.util.find_spec("rotel")
    if found is None or found.origin is None:
        return None
    program = Path(found.origin).with_name("rotel-agent")
    return program if os.access(program, os.X_OK) else None


@contextlib.contextmanager
def rotel(
    log: Path, program: Path, *options: str, grpc: str = "", http: str = ""
) -> Generator[Rotel]:
    """Run it with options of its exporter; what it says goes into a file."""
    grpc = grpc or f"127.0.0.1:{_free_port()}"
    http = http or f"127.0.0.1:{_free_port()}"
    with log.open("ab") as file:
        process = subprocess.Popen(
            [
                *(str(program), "start", "--otlp-grpc-endpoint", grpc),
                *("--otlp-http-endpoint", http, *options),
            ],
            stdout=file,
            stderr=file,
            env=environment(),
        )
    try:
        poll(lambda: _listens(grpc) and _listens(http), "rotel listens")
        yield Rotel(process, grpc, http)
    finally:
        end(process)


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """Ask a process to end, and see to it."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port
