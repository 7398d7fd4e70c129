"""Real receivers on free ports, with a sink in memory."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from prometheus_client import CollectorRegistry

from fleetspan_collector._signals import Sink
from fleetspan_collector.receivers import (
    GrpcReceiver,
    HttpServer,
    Intake,
    MemorySink,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
    TenantOf,
)
from fleetspan_collector.receivers._intake import no_tenant

TRACE_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c")
SPAN_ID = bytes.fromhex("eee19b7ec3c1b174")
START = 1_544_712_660_000_000_000


@dataclass(frozen=True, slots=True)
class Answer:
    """What an HTTP client got."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self):
        """The media type of the body."""
        return self.headers["content-type"]


@dataclass(slots=True)
class Collector:
    """Running receivers and what is behind them."""

    sink: MemorySink
    app: OtlpHttpApp
    grpc: GrpcReceiver
    http: HttpServer
    registry: CollectorRegistry

    def metric(self, name, **labels):
        """One sample, 0 when nothing was counted yet."""
        return self.registry.get_sample_value(name, labels) or 0

    async def post(self, path: str, body: Any = b"", **headers: str) -> Answer:
        """POST with http.client; header names are written with underscores."""
        return await self.request("POST", path, body, **headers)

    async def request(
        self, method: str, path: str, body: Any = b"", **headers: str
    ) -> Answer:
        """Send any request with http.client."""
        named = {key.replace("_", "-"): value for key, value in headers.items()}

        def send():
            connection = http.client.HTTPConnection(
                "127.0.0.1", self.http.port, timeout=30
            )
            with contextlib.closing(connection):
                chunked = not isinstance(body, bytes)
                connection.request(method, path, body, named, encode_chunked=chunked)
                response = connection.getresponse()
                received = {k.lower(): v for k, v in response.getheaders()}
                return Answer(response.status, received, response.read())

        return await asyncio.to_thread(send)

    async def raw(self, data):
        """Send bytes as they are and return all that comes back."""

        def send():
            address = ("127.0.0.1", self.http.port)
            with socket.create_connection(address, timeout=30) as connection:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
                return b"".join(iter(lambda: connection.recv(65536), b""))

        return await asyncio.to_thread(send)


Start = Callable[..., Awaitable[Collector]]


@pytest.fixture
async def start() -> AsyncGenerator[Start]:
    """Start receivers with any sink, settings and tenants; they stop with the test."""
    async with contextlib.AsyncExitStack() as stack:

        async def start(
            sink: Sink | None = None,
            *,
            tenant_of: TenantOf = no_tenant,
            **settings: Any,
        ) -> Collector:
            registry = CollectorRegistry()
            memory = MemorySink()
            intake = Intake(
                sink or memory,
                ReceiverSettings(**settings),
                ReceiverMetrics(registry),
                tenant_of,
            )
            app = OtlpHttpApp(intake)
            grpc = GrpcReceiver(intake, "127.0.0.1", 0)
            http = HttpServer(app, "127.0.0.1", 0)
            await grpc.start()
            stack.push_async_callback(grpc.stop, 1)
            await http.start()
            stack.push_async_callback(http.stop, 1)
            return Collector(memory, app, grpc, http, registry)

        yield start


@pytest.fixture
async def collector(start: Start) -> Collector:
    """Receivers with default settings."""
    return await start()


@pytest.fixture
def trace_request():
    """Build an export request of sound spans; each argument is one span's changes."""

    def build(*changes):
        request = trace_service_pb2.ExportTraceServiceRequest()
        scope = request.resource_spans.add().scope_spans.add()
        for change in changes or ({},):
            scope.spans.add(
                **{
                    "trace_id": TRACE_ID,
                    "span_id": SPAN_ID,
                    "name": "chat",
                    "start_time_unix_nano": START,
                    "end_time_unix_nano": START + 1,
                }
                | change
            )
        return request

    return build
