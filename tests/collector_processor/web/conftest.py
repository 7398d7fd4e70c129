"""A web port on a real socket."""

import asyncio
import http.client
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import prometheus_client
import pytest

from fleetspan_collector.receivers.http_server import HttpServer
from fleetspan_collector.store.rows import RunDetail
from fleetspan_collector.web.app import Sources, create_app
from fleetspan_collector.web.memory_reader import MemoryReader, MemoryRows


class Answer:
    """What a port answered."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class Port:
    """A client of one port, and what the port was asked to wait for."""

    def __init__(self, port: int, waits: list[float]) -> None:
        self.port = port
        self.waits = waits

    async def ask(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Answer:
        """Send one request, from a thread."""
        return await asyncio.to_thread(self._ask, method, path, body, headers or {})

    def _ask(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, path, body, headers)
            return Answer(connection.getresponse())
        finally:
            connection.close()


@asynccontextmanager
async def serving(
    reader: Any, *, reasons: dict[str, str] | None = None, complete: bool = True
) -> AsyncIterator[Port]:
    """Serve a reader on a free port."""
    waits: list[float] = []

    async def caught_up(
        timeout_s: float, *, derived: bool = True, analysed: bool = False
    ) -> bool:
        waits.append(timeout_s)
        return complete

    async def unready() -> dict[str, str]:
        return reasons or {}

    registry = prometheus_client.CollectorRegistry()
    prometheus_client.Counter("fleetspan_things", "Things.", registry=registry).inc(3)
    sources = Sources(
        rows=MemoryRows(reader), registry=registry, caught_up=caught_up, unready=unready
    )
    server = HttpServer(
        create_app(sources), "127.0.0.1", 0, purpose="the web port", flag="--web"
    )
    await server.start()
    try:
        yield Port(server.port, waits)
    finally:
        await server.stop()


@pytest.fixture
async def port(fleet: list[RunDetail]) -> AsyncIterator[Port]:
    """A web port over three runs and one statement."""
    reader = MemoryReader(fleet, answers={"SELECT 1": b"1\n"})
    async with serving(reader) as started:
        yield started


@pytest.fixture
def serve() -> Any:
    """Serve another reader."""
    return serving
