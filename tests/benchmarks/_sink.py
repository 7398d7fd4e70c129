"""An OTLP/HTTP receiver that only counts: the other end of the SDK part.

``python -m tests.benchmarks._sink`` prints its port, answers every export at once, and
on ``GET /`` parses what it has kept since the last time and answers with the number of
spans, log records and metrics, as JSON.
"""

from __future__ import annotations

import http.server
import json
import threading
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps bodies; parsing them waits until nobody is measured."""

    protocol_version = "HTTP/1.1"
    lock = threading.Lock()
    kept: list[tuple[str, bytes]] = []  # noqa: RUF012 - shared by all connections

    def do_POST(self) -> None:
        """Take an export."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with self.lock:
            self.kept.append((self.path, body))
        self._answer(b"", "application/x-protobuf")

    def do_GET(self) -> None:
        """Say what has come since the last time."""
        with self.lock:
            kept = list(self.kept)
            self.kept.clear()
        self._answer(json.dumps(_count(kept)).encode(), "application/json")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing of each request."""

    def _answer(self, body: bytes, media: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", media)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def _count(kept: list[tuple[str, bytes]]) -> dict[str, int]:
    counts = {"spans": 0, "logs": 0, "metrics": 0, "requests": len(kept), "bytes": 0}
    for path, body in kept:
        counts["bytes"] += len(body)
        counts[_KINDS[path][0]] += _KINDS[path][1](body)
    return counts


def _spans(body: bytes) -> int:
    request = ExportTraceServiceRequest.FromString(body)
    return sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)


def _logs(body: bytes) -> int:
    request = ExportLogsServiceRequest.FromString(body)
    return sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs)


def _metrics(body: bytes) -> int:
    request = ExportMetricsServiceRequest.FromString(body)
    scopes = [s for r in request.resource_metrics for s in r.scope_metrics]
    return sum(len(scope.metrics) for scope in scopes)


_KINDS: dict[str, tuple[str, Any]] = {
    "/v1/traces": ("spans", _spans),
    "/v1/logs": ("logs", _logs),
    "/v1/metrics": ("metrics", _metrics),
}


def main() -> None:
    """Serve until the process is ended."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
