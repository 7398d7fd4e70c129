"""Stands where a collector would, and keeps what it is sent as the captures have it."""

from __future__ import annotations

import gzip
import http.server
import json
import threading
from pathlib import Path
from typing import Any, ClassVar, Final, Self

_OTLP: Final = ("/v1/traces", "/v1/logs", "/v1/metrics")
_HOOKS: Final = "/v1/claude-code/hooks"
_PORT: Final = 4318


class Recorder:
    """A receiver of OTLP and hooks on the usual port, for as long as the context lasts.

    Args:
        folder: Where ``otlp/`` and ``hooks.jsonl`` are written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._number = 0
        self.events: list[str] = []
        (folder / "otlp").mkdir(parents=True)
        handler = type("_Handler", (_Handler,), {"recorder": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", _PORT), handler)
        self._server.daemon_threads = True

    def keep_otlp(self, signal: str, media: str, body: bytes) -> None:
        """Write an OTLP request down as it came."""
        with self._lock:
            self._number += 1
            ending = "raw.json" if media == "application/json" else "bin"
            path = self._folder / "otlp" / f"{self._number:04d}_{signal}.{ending}"
            path.write_bytes(body)

    def keep_hook(self, headers: dict[str, str], body: bytes) -> None:
        """Write a hook down, with the sender's time and trace context."""
        document = json.loads(body)
        traceparent = headers.get("traceparent")
        entry: dict[str, Any] = {
            "t": int(headers["x-fleetspan-event-time"]) / 1e9,
            "env": {"TRACEPARENT": traceparent} if traceparent else {},
            "argv": ["settings"],
            "input": document,
        }
        with self._lock, (self._folder / "hooks.jsonl").open("a") as file:
            file.write(json.dumps(entry) + "\n")
        self.events.append(document["hook_event_name"])

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    recorder: ClassVar[Recorder]

    def log_message(self, *arguments: object) -> None:
        """Be silent."""

    def do_POST(self) -> None:
        """Keep one request."""
        body = self._body()
        headers = {key.lower(): value for key, value in self.headers.items()}
        media = headers.get("content-type", "").split(";")[0]
        if self.path in _OTLP:
            self.recorder.keep_otlp(self.path.rpartition("/")[2], media, body)
            self._answer(200, b"{}" if media == "application/json" else b"", media)
        elif self.path == _HOOKS:
            self.recorder.keep_hook(headers, body)
            self._answer(200, b"{}", "application/json")
        else:
            self._answer(404, b"", "text/plain")

    def _body(self) -> bytes:
        if "chunked" in (self.headers.get("transfer-encoding") or "").lower():
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["content-length"]))
        zipped = self.headers.get("content-encoding", "").lower() == "gzip"
        return gzip.decompress(body) if zipped else body

    def _answer(self, status: int, body: bytes, media: str) -> None:
        self.send_response(status)
        self.send_header("content-type", media)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
