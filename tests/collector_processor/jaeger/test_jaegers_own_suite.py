"""Jaeger's own test of a remote storage, in Go, against a running collector.

``FLEETSPAN_TEST_JAEGER_SUITE=1`` runs it: it builds Jaeger, and takes its usual ports.
"""

from __future__ import annotations

import http.server
import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.collector_processor.jaeger import real_jaeger
from tests.collector_processor.jaeger.real_jaeger import free_port
from tests.collector_processor.running import Collector, environment

pytestmark = [
    pytest.mark.integration,
    pytest.mark.go,
    pytest.mark.slow,
    pytest.mark.timeout(4000),
    pytest.mark.skipif(
        not os.environ.get("FLEETSPAN_TEST_JAEGER_SUITE"),
        reason="needs FLEETSPAN_TEST_JAEGER_SUITE=1, which builds Jaeger and tests it",
    ),
    pytest.mark.skipif(shutil.which("go") is None, reason="needs Go"),
]

PORTS = (4317, 4318, 8888, 13133, 16685, 16686)
"""What Jaeger listens on in its test."""
WITH_BYTES = 12
"""Tests of traces that have an attribute of bytes."""


class Starting:
    """A collector that is started again and again on the same ports, each time empty."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._starts = 0
        self._running: Collector | None = None
        self.grpc = f"127.0.0.1:{free_port()}"
        self.jaeger = f"127.0.0.1:{free_port()}"

    def start(self) -> None:
        """Start with no data, after the end of the one before."""
        self.stop()
        self._starts += 1
        self._running = Collector(
            self._folder / f"data-{self._starts}",
            ports=(
                *(f"--grpc={self.grpc}", "--http=off", "--web=127.0.0.1:0"),
                *("--clickhouse=off", f"--jaeger={self.jaeger}"),
            ),
        ).wait_until_ready()

    def stop(self) -> None:
        """Stop the one that runs."""
        if self._running is not None:
            self._running.stop()
            self._running = None


@contextmanager
def afresh(collector: Starting) -> Generator[str]:
    """Serve what the suite calls to have an empty storage; yield its address."""

    class Purge(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            collector.start()
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Purge) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()


def taken() -> list[int]:
    """Return those of Jaeger's ports that somebody has."""
    found = []
    for port in PORTS:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                found.append(port)
    return found


def test_jaegers_own_suite(tmp_path: Path) -> None:
    """All of it passes, but that bytes come back as the base64 text of the store."""
    if found := taken():
        pytest.skip(f"ports {found} are taken, which Jaeger's test needs")
    source = shutil.copytree(real_jaeger.download(tmp_path), tmp_path / "source")
    for path in (source, *source.rglob("*")):
        path.chmod(path.stat().st_mode | 0o200)
    program = real_jaeger.build(tmp_path)
    shutil.copy(program, source / "cmd" / "jaeger" / "jaeger")
    collector = Starting(tmp_path)
    collector.start()
    try:
        with afresh(collector) as purger:
            output = run_suite(
                source,
                REMOTE_STORAGE_ENDPOINT=collector.jaeger,
                REMOTE_STORAGE_WRITER_ENDPOINT=collector.grpc,
                PURGER_ENDPOINT=purger,
            )
    finally:
        collector.stop()
    results = re.findall(r"--- (PASS|FAIL|SKIP): TestGRPCStorage/(\S+)", output)
    failed = [name for result, name in results if result == "FAIL"]
    assert len(results) == 29, output
    assert len([name for name in failed if "/" in name]) == WITH_BYTES, output
    assert {name.partition("/")[0] for name in failed} == {"FindTraces"}, output
    differences = re.findall(r"Expected and actual differ: (.*)", output)
    assert len(differences) == 3 * WITH_BYTES
    for each in differences:
        assert re.search(
            r"\.(VType: 4 != 0|VStr: \"\" != \"AAAwOQ==\"|VBinary: .*)$", each
        ), each


def run_suite(source: Path, **variables: str) -> str:
    """Run the suite; return what it says."""
    done = subprocess.run(
        [
            *("nice", "-n", "10", "go", "test", "./cmd/jaeger/internal/integration/"),
            *("-run", "TestGRPCStorage", "-v", "-count=1"),
        ],
        cwd=source,
        env=environment(STORAGE="grpc", CUSTOM_STORAGE="true", **variables),
        capture_output=True,
        text=True,
        check=False,
        timeout=3600,
    )
    return done.stdout + done.stderr
