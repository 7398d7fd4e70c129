"""Each test starts with nothing set up, and a log in which every kind of error is new."""

from __future__ import annotations

import http.server
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Generator
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from fleetspan import _guard
from fleetspan.testing import Recorded, capture


@pytest.fixture(autouse=True)
def _forget_errors() -> None:
    """Errors are logged once per process; each test wants to see its own."""
    _guard.forget_errors()


@pytest.fixture
def recorded() -> Generator[Recorded]:
    """Record into memory, as users' own tests do."""
    with capture() as found:
        yield found


class Receiver:
    """An OTLP/HTTP receiver that keeps what it gets."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, bytes]] = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                receiver.requests.append((self.path, body))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                """Stay silent."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()
        self.endpoint = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def _bodies(self, path: str) -> list[bytes]:
        return [body for got, body in self.requests if got == path]

    def spans(self) -> list[Any]:
        """Return every span received."""
        return [
            span
            for body in self._bodies("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def resources(self) -> list[dict[str, str]]:
        """Return the attributes of each resource that sent spans."""
        return [
            {
                each.key: each.value.string_value or str(each.value.int_value)
                for each in resource.resource.attributes
            }
            for body in self._bodies("/v1/traces")
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
        ]

    def log_events(self) -> list[Any]:
        """Return every log record received."""
        return [
            record
            for body in self._bodies("/v1/logs")
            for resource in ExportLogsServiceRequest.FromString(body).resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def metric_names(self) -> set[str]:
        """Return the name of every metric received."""
        return {
            metric.name
            for body in self._bodies("/v1/metrics")
            for resource in ExportMetricsServiceRequest.FromString(
                body
            ).resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }


@pytest.fixture
def receiver() -> Generator[Receiver]:
    """Run an OTLP/HTTP receiver on a free port."""
    found = Receiver()
    yield found
    found.close()


Program = Callable[..., "subprocess.CompletedProcess[str]"]
Started = Callable[..., "subprocess.Popen[str]"]


def _clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "FLEETSPAN_"))
        and name not in {"TRACEPARENT", "TRACESTATE", "BAGGAGE"}
    }


@pytest.fixture
def program() -> Program:
    """Run a program of its own: what is global to a process is new in it."""

    def run(
        source: str, *, env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(source)],
            env={**_clean_environment(), **(env or {})},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


@pytest.fixture
def started() -> Generator[Started]:
    """Start a program that reads its standard input until it is killed."""
    processes: list[subprocess.Popen[str]] = []

    def start(source: str, *, env: dict[str, str]) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(source)],
            env={**_clean_environment(), **env},
            stdin=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.wait()
        if process.stdin is not None:
            process.stdin.close()
