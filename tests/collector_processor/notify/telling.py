"""Findings and analyses made by hand, and receivers that misbehave on request."""

from __future__ import annotations

import http.server
import ssl
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from fleetspan_collector.notify.batch import AnalysisBatch
from fleetspan_collector.processors.row_layouts import ANALYSES, FINDINGS
from fleetspan_collector.processors.run import RunFacts
from fleetspan_collector.store._engine import Engine

BUCKET_S: Final = 1_790_000_000 // 3600 * 3600
AT_NS: Final = 1_790_000_000_123_456_789
"""2026-09-21T14:13:20.123456Z."""
TRACE_ID: Final = "0af7651916cd43dd8448eb211c80319c"
SPAN_ID: Final = "b7ad6b7169203331"


def finding(finding_id: str = "f-1", **given: Any) -> dict[str, Any]:
    """Return a row of ``stored_findings``, some columns changed."""
    return {
        "Tenant": "",
        "RunId": "run-1",
        "SessionId": "session-1",
        "RunName": "research",
        "Environment": "staging",
        "Project": "atlas",
        "User": "ada",
        "Service": "planner",
        "RunOpen": 0,
        "ProcessorsVersion": 1,
        "Bucket": BUCKET_S,
        "FindingId": finding_id,
        "TraceId": TRACE_ID,
        "Detector": "retry_storm",
        "Severity": 3,
        "At": AT_NS,
        "AgentId": "agent-1",
        "AgentName": "scout",
        "What": "The model was asked 9 times.",
        "Advice": "Wait longer between attempts.",
        "Seconds": 12.5,
        "Usd": None,
        "SpanIds": [SPAN_ID],
        "AgentIds": ["agent-1"],
        "CallIds": ["call-1", "call-2"],
        "ToolCallIds": [],
        "Details": '{"attempts": 9}',
        "ContentHash": 1,
        "FoundAt": time.time_ns() // 1_000_000,
        **given,
    }


def analysis(run_id: str = "run-1", **given: Any) -> dict[str, Any]:
    """Return a row of ``stored_analyses``, some columns changed."""
    lists = ("PathStart", "PathEnd", "PathCategory", "PathAgentId", "PathKey")
    return {
        **dict.fromkeys(ANALYSES.names),
        **{name: [] for name in lists},
        "Tenant": "",
        "RunId": run_id,
        "SessionId": "session-1",
        "RunName": "research",
        "Environment": "staging",
        "Project": "atlas",
        "User": "ada",
        "Service": "planner",
        "RunOpen": 0,
        "ProcessorsVersion": 1,
        "Bucket": BUCKET_S,
        "StartTime": AT_NS,
        "WallSeconds": 60.0,
        "ModelSeconds": 45.0,
        "ToolSeconds": 15.0,
        "TaskKind": "debug",
        "FilesTouched": 2,
        "SavedSeconds": 12.5,
        "SavedUsd": 0.25,
        "SetAside": [],
        "RunVersion": 7,
        "AnalysedAt": time.time_ns() // 1_000_000,
        **given,
    }


def facts(run_id: str = "run-1", **given: Any) -> RunFacts:
    """Return a run's own row."""
    return RunFacts(
        **{
            "run_id": run_id,
            "trace_id": TRACE_ID,
            "status": "ok",
            "start_ns": AT_NS,
            "last_activity_ns": AT_NS + 60_000_000_000,
            "cost_usd": 1.5,
            **given,
        }
    )


def batch(
    *findings: Mapping[str, Any],
    analyses: Sequence[Mapping[str, Any]] = (),
    runs: Sequence[RunFacts] = (),
) -> AnalysisBatch:
    """Return what an analysis has written."""
    return AnalysisBatch(
        findings=pa.Table.from_pylist(list(findings), FINDINGS),
        analyses=pa.Table.from_pylist(list(analyses), ANALYSES),
        facts=runs,
    )


def store(engine: Engine, rows: AnalysisBatch, *, deleted: int = 0) -> None:
    """Write a batch as the frame does."""
    for name, table in (
        ("stored_findings", rows.findings),
        ("stored_analyses", rows.analyses),
    ):
        count = table.num_rows
        hours = table["Bucket"].cast(pa.timestamp("s"))
        table = table.set_column(
            table.schema.get_field_index("Bucket"), "Bucket", hours
        )
        versions = np.full(count, time.time_ns(), dtype=np.uint64)
        flags = np.full(count, deleted, dtype=np.uint8)
        table = table.append_column("Version", pa.array(versions))
        engine.insert_arrow(name, table.append_column("IsDeleted", pa.array(flags)))


@dataclass(frozen=True, slots=True)
class Received:
    """A request, as it came."""

    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Receiver:
    """An HTTP server on loopback that answers as it is told.

    Attributes:
        plan: For each request one behaviour, the last one for ever: a status, or a
            function that handles the request.
        received: What has come.
    """

    plan: list[int | Callable[[Any], None]] = field(default_factory=lambda: [200])
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b"thank you"
    received: list[Received] = field(default_factory=list)
    closing: threading.Event = field(default_factory=threading.Event)
    port: int = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


def hang(handler: Any) -> None:
    """Never answer."""
    handler.server.receiver.closing.wait(60)


def drip_status(handler: Any) -> None:
    """Send a status line without end, a piece now and then."""
    _drip(handler, b"HTTP")


def drip_headers(handler: Any) -> None:
    """Answer at once, and send headers without end."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
    _drip(handler, b"x-more: x\r\n")


def drip_body(handler: Any) -> None:
    """Answer at once, and send a body that never ends."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n")
    _drip(handler, b"x")


def _drip(handler: Any, piece: bytes) -> None:
    while not handler.server.receiver.closing.wait(0.05):
        try:
            handler.wfile.write(piece)
            handler.wfile.flush()
        except OSError:
            return


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        receiver: Receiver = self.server.receiver  # type: ignore[attr-defined]
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        with self.server.lock:  # type: ignore[attr-defined]
            receiver.received.append(Received(self.path, headers, body))
            place = min(len(receiver.received), len(receiver.plan)) - 1
            step = receiver.plan[place]
        if not isinstance(step, int):
            self.close_connection = True
            step(self)
            return
        self.send_response(step)
        for name, value in receiver.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(receiver.body)))
        self.end_headers()
        self.wfile.write(receiver.body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is what some tests are about."""


@contextmanager
def receiving(
    *plan: int | Callable[[Any], None],
    tls: ssl.SSLContext | None = None,
    **given: Any,
) -> Generator[Receiver]:
    """Run a receiver with a plan; with a context over TLS."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        # The handshake waits for the thread that serves the connection.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    receiver = Receiver(list(plan) or [200], port=server.server_address[1], **given)
    server.receiver = receiver  # type: ignore[attr-defined]
    server.lock = threading.Lock()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.closing.set()
        server.shutdown()
        server.server_close()
        thread.join()
