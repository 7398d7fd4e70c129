"""The stream over WebSocket, and over SSE for whatever reads lines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Coroutine
from typing import Final

import orjson
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from fleetspan_collector._errors import CollectorError, UnreachableError, UsageError
from fleetspan_collector.access import Gate, Identity
from fleetspan_collector.access import Scope as AccessScope
from fleetspan_collector.live.filters import Filter, read_filter
from fleetspan_collector.live.frames import Frame
from fleetspan_collector.live.live import MOST_LISTENERS, Live
from fleetspan_collector.web._access import identity_of

_CADENCE_S: Final = 0.03
"""Frames of one stream follow each other no sooner: a burst becomes few of them."""
_PING_S: Final = 15.0
_CHECK_S: Final = 1.0
_STALLED_S: Final = 60.0
"""Who takes nothing for so long is gone; who comes back goes on where it was."""
_MOST_REASON_BYTES: Final = 120
_REVOKED: Final = 4401
_GOING_AWAY: Final = 1001
_BAD_REQUEST: Final = 4400
_TOO_MANY: Final = 4503


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
        place: The number of the last event seen.
    """

    def __init__(
        self, live: Live, wanted: Filter, gate: Gate, identity: Identity, place: int
    ) -> None:
        self._live = live
        self._wanted = wanted
        self._gate = gate
        self._identity = identity
        self._place = place
        self._checked_s = time.monotonic()

    async def frames(self) -> AsyncIterator[Frame]:
        """Yield what is to be sent; an empty frame is a sign of life.

        Raises:
            _Ended: When it is over.
        """
        said_s = time.monotonic()
        while True:
            self._check()
            frame = self._next()
            if frame:
                yield frame
                said_s = time.monotonic()
                await asyncio.sleep(_until_tick_s())
            elif self._place < self._live.ring.head:
                # Nothing that is wanted in so many; others have their turn.
                await asyncio.sleep(0)
            elif (left_s := said_s + _PING_S - time.monotonic()) <= 0:
                yield Frame((), self._place)
                said_s = time.monotonic()
            else:
                await self._live.news(min(left_s, _CHECK_S))

    @property
    def last_id(self) -> str:
        """The id after which a stream would go on as this one does."""
        return f"{self._live.ring.epoch}-{self._place}"

    def _next(self) -> Frame:
        frame = self._live.frames.after(self._place, self._wanted)
        self._place = frame.place
        if frame.missed:
            self._live.metrics.missed.labels("slow").inc(frame.missed)
        return frame

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
        await socket.accept()
        try:
            opened = _open(socket, live, gate)
        except CollectorError as error:
            # A reason reaches a browser only once the connection is open.
            code = _TOO_MANY if isinstance(error, UnreachableError) else _BAD_REQUEST
            reason = str(error).encode()[:_MOST_REASON_BYTES].decode(errors="ignore")
            await socket.close(code, reason)
            return
        try:
            await _until_either_ends(_until_gone(socket), _over_socket(socket, *opened))
        finally:
            live.leave()

    async def over_sse(request: Request) -> Response:
        return _EventStream(live, *_open(request, live, gate))

    return [
        WebSocketRoute("/api/v1/live/ws", over_websocket),
        Route("/api/v1/live", over_sse),
    ]


class _EventStream(Response):
    """An answer that goes on until the client does, or the stream ends."""

    media_type = "text/event-stream"

    def __init__(self, live: Live, listener: Listener, hello: Frame) -> None:
        super().__init__(headers={"cache-control": "no-store"})
        # A proxy that collects an answer before it passes it on would hold it for ever.
        self.headers["x-accel-buffering"] = "no"
        del self.headers["content-length"]
        self._live = live
        self._listener = listener
        self._hello = hello

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await _until_either_ends(_until_over(receive), self._stream(send))
        finally:
            self._live.leave()

    async def _stream(self, send: Send) -> None:
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        await send(_piece(self._hello.lines))
        try:
            async for frame in self._listener.frames():
                ping = f"id: {self._listener.last_id}\n: ping\n\n".encode()
                await _in_time(send(_piece(frame.lines or ping)))
        except _Ended:
            await send(_piece(b"", more=False))


def _piece(body: bytes, *, more: bool = True) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


async def _over_socket(socket: WebSocket, listener: Listener, hello: Frame) -> None:
    await socket.send_text(hello.text)
    try:
        async for frame in listener.frames():
            ping = f'[{{"kind":"ping","id":"{listener.last_id}"}}]'
            await _in_time(socket.send_text(frame.text if frame else ping))
    except _Ended as ended:
        await socket.close(ended.code)


async def _in_time(sending: Awaitable[None]) -> None:
    async with asyncio.timeout(_STALLED_S):
        await sending


async def _until_either_ends(*parts: Coroutine[object, object, None]) -> None:
    """Run two sides of a stream until one of them ends, whichever way."""
    tasks = [asyncio.create_task(part) for part in parts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
    for end in ends:
        # A client that has gone, or takes nothing, is no failure.
        if isinstance(end, Exception) and not isinstance(
            end, WebSocketDisconnect | OSError
        ):
            raise end


async def _until_gone(socket: WebSocket) -> None:
    """Read, and pass over, whatever the client says until it goes."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _until_over(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _until_tick_s() -> float:
    """Seconds until streams go on that are busy: all at once, with the same frames."""
    return _CADENCE_S - asyncio.get_running_loop().time() % _CADENCE_S


def _open(connection: HTTPConnection, live: Live, gate: Gate) -> tuple[Listener, Frame]:
    """Begin to listen to what a request asks for; the caller has to leave again.

    Returns:
        The listener, and what it is told first.

    Raises:
        UsageError: When it cannot be understood.
        UnreachableError: When there are too many.
        CollectorError: When somebody may not read.
    """
    identity = identity_of(connection)
    identity.require(AccessScope.READ)
    wanted = read_filter(connection.query_params.multi_items(), identity.sees)
    last = connection.query_params.get("after") or connection.headers.get(
        "last-event-id", ""
    )
    after = _read_id(last) if last else None
    if live.is_full:
        raise UnreachableError(
            "the stream has no place left",
            because=f"{MOST_LISTENERS} listen already",
            suggestion="try again later",
        )
    live.listen()
    ring = live.ring
    place = ring.head
    unknown = False
    if after is not None:
        # Of another epoch nobody knows how many there were.
        unknown = after[0] != ring.epoch or after[1] > place
        place = place if unknown else after[1]
    name = f"{ring.epoch}-{place}"
    hello = orjson.dumps({"kind": "hello", "id": name, "epoch": ring.epoch})
    missed = orjson.dumps({"kind": "missed", "id": name, "count": None})
    told = [(name, hello), (name, missed)][: 2 if unknown else 1]
    return Listener(live, wanted, gate, identity, place), Frame(told)


def _read_id(text: str) -> tuple[str, int]:
    epoch, _, number = text.rpartition("-")
    if not (number.isascii() and number.isdigit()) or len(text) > 80:
        raise UsageError(
            f"after={text[:80]!r} cannot be used",
            because="it is not the id of an event",
            suggestion="leave it out, to begin now",
        )
    return epoch, int(number)
