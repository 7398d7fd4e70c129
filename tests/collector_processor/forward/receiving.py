"""An OTLP receiver that does as it is told, over gRPC or HTTP."""

from __future__ import annotations

import gzip
import http.server
import threading
from collections import deque
from concurrent import futures
from typing import Any, Final, Self

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

_TRACES: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


class Receiver:
    """Takes requests; what it answers next can be put into ``answers``.

    Args:
        protocol: ``grpc`` or ``http/protobuf``.

    Attributes:
        taken: Bodies of the requests that it has taken, in their order.
        attempts: How many requests came, taken or not.
        answers: What is answered first: a status of the protocol, a pair of one and a
            time to wait, in seconds, or bytes of a successful answer.
    """

    def __init__(self, protocol: str) -> None:
        self.taken: list[bytes] = []
        self.attempts = 0
        self.answers: deque[Any] = deque()
        self._lock = threading.Lock()
        self._serve = _over_grpc if protocol == "grpc" else _over_http
        self._port, self._stop = self._serve(self, 0)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    def take(self, body: bytes) -> Any:
        """Take a request, unless the next answer says otherwise."""
        with self._lock:
            self.attempts += 1
            answer = self.answers.popleft() if self.answers else b""
            if isinstance(answer, bytes):
                self.taken.append(body)
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
    def export(body: bytes, context: Any) -> bytes:
        answer = receiver.take(body)
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
            if details.method == _TRACES:
                return grpc.unary_unary_rpc_method_handler(export)
            return None

    server = grpc.server(
        futures.ThreadPoolExecutor(16), options=(("grpc.so_reuseport", 0),)
    )
    server.add_generic_rpc_handlers((Handler(),))
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    return bound, lambda: server.stop(0).wait()


def _over_http(receiver: Receiver, port: int) -> tuple[int, Any]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            answer = receiver.take(body)
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
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return server.server_address[1], stop
