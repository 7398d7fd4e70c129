"""An OTLP receiver that does as it is told, over gRPC or HTTP."""

from __future__ import annotations

import gzip
import http.server
import ssl
import threading
import time
from collections import deque
from concurrent import futures
from functools import partial
from pathlib import Path
from typing import Any, Final, Self

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.collector_processor.access.keyed import Pem

_OF: Final = "/opentelemetry.proto.collector"
_SIGNALS: Final = {
    f"{_OF}.trace.v1.TraceService/Export": "traces",
    f"{_OF}.logs.v1.LogsService/Export": "logs",
    f"{_OF}.metrics.v1.MetricsService/Export": "metrics",
}


def request(number: int) -> bytes:
    """Return a request of one span, with a field that nobody knows."""
    message = ExportTraceServiceRequest()
    span = message.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id = number.to_bytes(16, "big")
    span.span_id = number.to_bytes(8, "big")
    span.name = f"span {number}"
    span.start_time_unix_nano = time.time_ns()
    span.end_time_unix_nano = span.start_time_unix_nano + 1000
    unknown = b"\xfa\x3f\x03xyz"
    return message.SerializeToString() + unknown


class Receiver:
    """Takes requests; what it answers next can be put into ``answers``.

    Args:
        protocol: ``grpc`` or ``http/protobuf``.
        tls: What it shows; plain text without.
        client_authority: Issued the certificates that clients must show.

    Attributes:
        taken: Bodies of the requests that it has taken, in their order.
        signals: Of each of them.
        headers: That came with each.
        attempts: How many requests came, taken or not.
        answers: What is answered first: a status of the protocol, a pair of one and a
            time to wait, in seconds, or bytes of a successful answer.
    """

    def __init__(
        self,
        protocol: str,
        tls: Pem | None = None,
        client_authority: Path | None = None,
    ) -> None:
        self.tls = tls
        self.client_authority = client_authority
        self.signals: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.taken: list[bytes] = []
        self.attempts = 0
        self.answers: deque[Any] = deque()
        self._lock = threading.Lock()
        self._serve = _over_grpc if protocol == "grpc" else _over_http
        self._port, self._stop = self._serve(self, 0)

    @property
    def url(self) -> str:
        """Where it listens."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._port}"

    def take(self, signal: str, headers: dict[str, str], body: bytes) -> Any:
        """Take a request, unless the next answer says otherwise."""
        with self._lock:
            self.attempts += 1
            answer = self.answers.popleft() if self.answers else b""
            if isinstance(answer, bytes):
                self.taken.append(body)
                self.signals.append(signal)
                self.headers.append(headers)
            return answer

    def go(self) -> None:
        """Stop listening."""
        self._stop()

    def come_back(self) -> None:
        """Listen again, where it did."""
        self._port, self._stop = self._serve(self, self._port)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stop()


def _over_grpc(receiver: Receiver, port: int) -> tuple[int, Any]:
    def export(signal: str, body: bytes, context: Any) -> bytes:
        headers = {key: str(value) for key, value in context.invocation_metadata()}
        answer = receiver.take(signal, headers, body)
        if isinstance(answer, bytes):
            return answer
        code, wait_s = answer if isinstance(answer, tuple) else (answer, None)
        if wait_s is not None:
            delay = Duration()
            delay.FromMilliseconds(int(wait_s * 1000))
            status = status_pb2.Status(code=code.value[0])
            status.details.add().Pack(error_details_pb2.RetryInfo(retry_delay=delay))
            details = ("grpc-status-details-bin", status.SerializeToString())
            context.set_trailing_metadata((details,))
        context.abort(code, "as it was told")
        return b""

    class Handler(grpc.GenericRpcHandler):
        def service(self, details: Any) -> Any:
            signal = _SIGNALS.get(details.method)
            if signal is None:
                return None
            return grpc.unary_unary_rpc_method_handler(partial(export, signal))

    server = grpc.server(
        futures.ThreadPoolExecutor(16), options=(("grpc.so_reuseport", 0),)
    )
    server.add_generic_rpc_handlers((Handler(),))
    bound = _grpc_port(receiver, server, port)
    server.start()
    return bound, lambda: server.stop(0).wait()


def _grpc_port(receiver: Receiver, server: grpc.Server, port: int) -> int:
    address = f"127.0.0.1:{port}"
    if receiver.tls is None:
        return server.add_insecure_port(address)
    pair = (
        receiver.tls.private_key.read_bytes(),
        receiver.tls.certificate.read_bytes(),
    )
    authority = receiver.client_authority
    credentials = grpc.ssl_server_credentials(
        [pair],
        authority.read_bytes() if authority else None,
        require_client_auth=authority is not None,
    )
    return server.add_secure_port(address, credentials)


def _over_http(receiver: Receiver, port: int) -> tuple[int, Any]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            headers = {key.lower(): value for key, value in self.headers.items()}
            answer = receiver.take(self.path.removeprefix("/v1/"), headers, body)
            content = answer if isinstance(answer, bytes) else b""
            status, wait_s = 200, None
            if isinstance(answer, tuple):
                status, wait_s = answer
            elif not isinstance(answer, bytes):
                status = answer
            self.send_response(status)
            if wait_s is not None:
                self.send_header("retry-after", str(wait_s))
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:
            pass

    http.server.ThreadingHTTPServer.allow_reuse_address = True
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if receiver.tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(receiver.tls.certificate, receiver.tls.private_key)
        if receiver.client_authority is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(receiver.client_authority)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_address[1], stop
