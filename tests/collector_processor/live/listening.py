"""The stream on a real socket, fed as the journal feeds it."""

from __future__ import annotations

import asyncio
import http.client
import itertools
import json
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import prometheus_client
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from websockets.asyncio.client import ClientConnection, connect

from fleetspan_collector._errors import CollectorError
from fleetspan_collector._signals import Signal, Submission
from fleetspan_collector.access import (
    Gate,
    Identity,
    OpenGate,
    Scope,
    UnauthenticatedError,
)
from fleetspan_collector.access.identity import ALL_SCOPES
from fleetspan_collector.access.logins import Logins
from fleetspan_collector.access.metrics import AccessMetrics
from fleetspan_collector.live import Live, live_routes
from fleetspan_collector.receivers.http_server import HttpServer
from fleetspan_collector.web._access import AccessGuard
from fleetspan_collector.web._answers import problem_of
from tests.collector_processor.fleet import span, traces

PATIENCE_S: Final = 30.0


@dataclass
class ListedGate:
    """A gate of the keys in a list, which tests change."""

    identities: dict[str, Identity] = field(default_factory=dict)
    required = True

    def identify(self, key: str | None) -> Identity:
        """Return whose key it is."""
        found = self.identities.get(key or "")
        if found is None:
            raise UnauthenticatedError
        return found

    def holds(self, identity: Identity) -> bool:
        """Tell whether the key is still in the list."""
        return identity.key_id in self.identities


def identity_for(
    key_id: str, sees: str | None, scopes: frozenset[Scope] = ALL_SCOPES
) -> Identity:
    """Return who shows a key."""
    return Identity(key_id=key_id, tenant=sees or "", sees=sees, scopes=scopes)


@dataclass
class Port:
    """A web port with nothing but the stream.

    Attributes:
        live: The stream behind it.
        server: The port.
        registry: Where it counts.
    """

    live: Live
    server: HttpServer
    registry: prometheus_client.CollectorRegistry

    def send(self, spans: Iterable[Span], tenant: str = "") -> None:
        """Make a request of spans durable."""
        made = list(spans)
        self.give(Signal.TRACES, traces(made).SerializeToString(), len(made), tenant)

    def give(
        self, signal: Signal, payload: bytes, rows: int = 1, tenant: str = ""
    ) -> None:
        """Make a request durable."""
        given = Submission(signal=signal, tenant=tenant, payload=payload, rows=rows)
        self.live.durable([given], time.time_ns())

    @asynccontextmanager
    async def listening(
        self, query: str = "", key: str = "", **options: Any
    ) -> AsyncIterator[Ear]:
        """Open a stream over WebSocket, past its hello."""
        shown = {"authorization": f"Bearer {key}"} if key else {}
        async with connect(
            f"ws://127.0.0.1:{self.server.port}/api/v1/live/ws{query}",
            additional_headers=shown,
            compression=None,
            proxy=None,
            **options,
        ) as socket:
            ear = Ear(socket)
            await ear.hear(1)
            yield ear

    async def ask(self, path: str, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return the status and the document of an answer that is no stream."""
        return await asyncio.to_thread(self._ask, path, headers)

    def _ask(self, path: str, headers: dict[str, str]) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.server.port, timeout=PATIENCE_S
        )
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def counted(self, name: str, **labels: str) -> float:
        """Return a metric; 0 when there is none."""
        return self.registry.get_sample_value(name, labels) or 0.0


class Ear:
    """A client that takes what it is sent."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.heard: list[dict[str, Any]] = []

    async def hear(self, count: int) -> list[dict[str, Any]]:
        """Return all events, once there are so many of them."""
        async with asyncio.timeout(PATIENCE_S):
            while len(self.heard) < count:
                self.heard += json.loads(await self.socket.recv())
        return self.heard

    async def until(self, kind: str, name: str) -> dict[str, Any]:
        """Return the first event of a kind and name."""
        for place in itertools.count():
            found = (await self.hear(place + 1))[place]
            if found["kind"] == kind and found.get("name") == name:
                return found
        raise AssertionError

    @property
    def names(self) -> list[str | None]:
        """Names of all events after the first."""
        return [event.get("name") for event in self.heard[1:]]


@asynccontextmanager
async def open_port(gate: Gate | None = None) -> AsyncIterator[Port]:
    """Serve a stream on a free port."""
    gate = gate or OpenGate()
    registry = prometheus_client.CollectorRegistry()
    live = Live(registry)
    guard = Middleware(
        AccessGuard, gate=gate, logins=Logins(gate), metrics=AccessMetrics(registry)
    )
    app = Starlette(
        routes=live_routes(live, gate),
        middleware=[guard],
        exception_handlers={CollectorError: _on_problem},
    )
    server = HttpServer(app, "127.0.0.1", 0, websockets=True, purpose="web")
    await server.start()
    try:
        yield Port(live, server, registry)
    finally:
        live.close()
        await server.stop(5.0)


async def _on_problem(_: Request, error: Exception) -> Response:
    assert isinstance(error, CollectorError)
    return problem_of(error)


def named(*names: str, trace: int = 1) -> list[Span]:
    """Return spans of these names."""
    return [
        span(trace, number, name=name) for number, name in enumerate(names, start=1)
    ]
