"""The stream over WebSocket, and over SSE for whatever reads lines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Final

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from fleetspan_collector._errors import CollectorError, UnreachableError, UsageError
from fleetspan_collector.access import Gate, Identity, Scope
from fleetspan_collector.live.event import Event
from fleetspan_collector.live.filters import Filter, read_filter
from fleetspan_collector.live.live import MOST_LISTENERS, Live
from fleetspan_collector.web._access import identity_of

_CADENCE_S: Final = 0.03
"""Frames of one stream follow each other no sooner: a burst becomes few of them."""
_MOST_AT_ONCE: Final = 1000
_MOST_FRAME_BYTES: Final = 512 << 10
_PING_S: Final = 15.0
_CHECK_S: Final = 1.0
_REVOKED: Final = 4401
_GOING_AWAY: Final = 1001
_BAD_REQUEST: Final = 4400
_TOO_MANY: Final = 4503
_PING: Final = b'{"kind":"ping"}'


class _Ended(Exception):  # noqa: N818 - never leaves this module
    """The stream ends, and why."""

    def __init__(self, code: int) -> None:
        self.code = code


class Listener:
    """One stream: a place in the ring that moves on.

    Args:
        live: Where events come from.
        wanted: Which ones.
        gate: Says whether the listener may stay.
        identity: Who it is.
        after: The number of the last event seen; ``None`` to begin now.
    """

    def __init__(
        self,
        live: Live,
        wanted: Filter,
        gate: Gate,
        identity: Identity,
        after: int | None,
    ) -> None:
        self._live = live
        self._wanted = wanted
        self._gate = gate
        self._identity = identity
        self._place = live.ring.head if after is None else after
        self._checked_s = time.monotonic()

    async def parts(self) -> AsyncIterator[list[tuple[str | None, bytes]]]:
        """Yield what is to be sent, as ids and JSON objects; it ends with `_Ended`."""
        said_s = time.monotonic()
        while True:
            self._check()
            part = self._next()
            if part:
                yield part
                said_s = time.monotonic()
                await asyncio.sleep(_CADENCE_S)
                continue
            left_s = said_s + _PING_S - time.monotonic()
            if left_s <= 0:
                yield [(None, _PING)]
                said_s = time.monotonic()
                continue
            await self._live.news(min(left_s, _CHECK_S))

    def _next(self) -> list[tuple[str | None, bytes]]:
        """The next events that are wanted, at most one frame of them."""
        ring = self._live.ring
        found: list[tuple[str | None, bytes]] = []
        size = 0
        while size < _MOST_FRAME_BYTES:
            missed, events = ring.after(self._place, _MOST_AT_ONCE)
            if missed:
                self._place += missed
                self._live.metrics.missed.labels("slow").inc(missed)
                found.append((None, b'{"kind":"missed","count":%d}' % missed))
            for number, event in events:
                self._place = number
                if self._wanted.wants(event):
                    name = f"{ring.epoch}-{number}"
                    body = _written(name, event)
                    found.append((name, body))
                    size += len(body)
                    if size >= _MOST_FRAME_BYTES:
                        break
            if len(events) < _MOST_AT_ONCE:
                break
        return found

    def _check(self) -> None:
        if self._live.closed:
            raise _Ended(_GOING_AWAY)
        now_s = time.monotonic()
        if now_s >= self._checked_s + _CHECK_S:
            self._checked_s = now_s
            if not self._gate.holds(self._identity):
                raise _Ended(_REVOKED)


def live_routes(live: Live, gate: Gate) -> list[BaseRoute]:
    """Return the routes of the stream.

    Args:
        live: Where events come from.
        gate: Says whether a listener may stay.
    """

    async def over_websocket(socket: WebSocket) -> None:
        try:
            identity = identity_of(socket)
            identity.require(Scope.READ)
            wanted, after, hello = _read(socket, live, identity)
        except CollectorError as error:
            # A reason reaches a browser only once the connection is open.
            await socket.accept()
            code = _TOO_MANY if isinstance(error, UnreachableError) else _BAD_REQUEST
            await socket.close(code, str(error)[:100])
            return
        await socket.accept()
        live.listen()
        try:
            await _serve(socket, Listener(live, wanted, gate, identity, after), hello)
        finally:
            live.leave()

    async def over_sse(request: Request) -> Response:
        identity = identity_of(request)
        identity.require(Scope.READ)
        wanted, after, hello = _read(request, live, identity)
        listener = Listener(live, wanted, gate, identity, after)
        return StreamingResponse(
            _lines(live, listener, hello),
            media_type="text/event-stream",
            headers={"cache-control": "no-store", "x-accel-buffering": "no"},
        )

    return [
        WebSocketRoute("/api/v1/live/ws", over_websocket),
        Route("/api/v1/live", over_sse),
    ]


async def _serve(socket: WebSocket, listener: Listener, hello: list[bytes]) -> None:
    reading = asyncio.create_task(_until_gone(socket))
    writing = asyncio.create_task(_write(socket, listener, hello))
    done, pending = await asyncio.wait(
        (reading, writing), return_when=asyncio.FIRST_COMPLETED
    )
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
    for task in done:
        error = task.exception()
        if error is not None and not isinstance(error, WebSocketDisconnect | OSError):
            raise error


async def _write(socket: WebSocket, listener: Listener, hello: list[bytes]) -> None:
    await socket.send_text(_frame(hello))
    try:
        async for part in listener.parts():
            await socket.send_text(_frame(body for _, body in part))
    except _Ended as ended:
        await socket.close(ended.code)


def _frame(bodies: object) -> str:
    parts: list[bytes] = list(bodies)  # type: ignore[call-overload]
    return (b"[" + b",".join(parts) + b"]").decode()


async def _until_gone(socket: WebSocket) -> None:
    """Read, and pass over, whatever the client says until it goes."""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return


async def _lines(
    live: Live, listener: Listener, hello: list[bytes]
) -> AsyncIterator[bytes]:
    live.listen()
    try:
        for body in hello:
            yield b"data: " + body + b"\n\n"
        async for part in listener.parts():
            yield b"".join(
                (b"id: " + name.encode() + b"\n" if name else b"")
                + (b": ping\n\n" if body is _PING else b"data: " + body + b"\n\n")
                for name, body in part
            )
    except _Ended:
        return
    finally:
        live.leave()


def _read(
    connection: HTTPConnection, live: Live, identity: Identity
) -> tuple[Filter, int | None, list[bytes]]:
    """Read what a listener asks for, and what it is told first.

    Raises:
        UsageError: When it cannot be understood.
        UnreachableError: When there are too many.
    """
    if live.is_full:
        raise UnreachableError(
            "the stream has no place left",
            because=f"{MOST_LISTENERS} listen already",
            suggestion="try again later",
        )
    wanted = read_filter(connection.query_params.multi_items(), identity.sees)
    last = connection.query_params.get("after") or connection.headers.get(
        "last-event-id", ""
    )
    ring = live.ring
    hello: dict[str, object] = {
        "kind": "hello",
        "id": f"{ring.epoch}-{ring.head}",
        "epoch": ring.epoch,
    }
    if not last:
        return wanted, None, [orjson.dumps(hello)]
    epoch, _, number = last.rpartition("-")
    if not (number.isascii() and number.isdigit()) or len(last) > 80:
        raise UsageError(
            f"after={last[:80]!r} cannot be used",
            because="it is not the id of an event",
            suggestion="leave it out, to begin now",
        )
    if epoch != ring.epoch or int(number) > ring.head:
        # Of another life of the collector: nobody knows how many there were.
        unknown = b'{"kind":"missed","count":null}'
        return wanted, None, [orjson.dumps(hello), unknown]
    hello["id"] = last
    return wanted, int(number), [orjson.dumps(hello)]


def _written(name: str, event: Event) -> bytes:
    return b'{"id":"' + name.encode() + b'",' + event.body + b"}"
