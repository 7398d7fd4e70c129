"""Serving an ASGI application on a socket, inside the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Generator
from typing import Any, Final

import h11
import uvicorn
from google.rpc import code_pb2
from uvicorn.protocols.http.h11_impl import H11Protocol

from .._errors import UnreachableError
from ..access.tls import Tls
from ._answers import Failure, json_bytes

_BACKLOG: Final = 2048
_NOT_HERE: Final = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
_KEEP_ALIVE_S: Final = 75
_FOLLOW_S: Final = 5.0
_PING_S: Final = 20.0
_MAX_HEADER_BYTES: Final = 64 * 1024


class _Protocol(H11Protocol):
    """HTTP/1.1 whose own complaint about malformed requests is a Status as well."""

    def send_400_response(self, msg: str) -> None:
        failure = Failure(
            reason="malformed_http",
            http_status=400,
            code=code_pb2.INVALID_ARGUMENT,
            message=msg,
        )
        body = json_bytes(failure.status())
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        for event in (
            h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
            h11.Data(data=body),
            h11.EndOfMessage(),
        ):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class _Server(uvicorn.Server):
    """Uvicorn without its signal handlers: signals belong to the command."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


class HttpServer:
    """Serves an ASGI application.

    Args:
        app: The application.
        host: The address or name to listen on.
        port: The port; 0 takes a free one.
        tls: Encrypts it; ``None`` for plain text.
        websockets: Whether the application takes WebSockets, too.
        purpose: What it is for, as error messages name it.
        flag: The command-line flag that moves it.

    Attributes:
        port: The port in use, once started.
    """

    def __init__(
        self,
        app: Any,
        host: str,
        port: int,
        *,
        tls: Tls | None = None,
        websockets: bool = False,
        purpose: str = "OTLP HTTP",
        flag: str = "--http",
    ) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._tls = tls
        self._websockets = websockets
        self._purpose = purpose
        self._flag = flag
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            UnreachableError: When the address cannot be listened on.
        """
        listeners = self._listen()
        self.port = listeners[0].getsockname()[1]
        tls = self._tls
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            ws="websockets-sansio" if self._websockets else "none",
            ws_max_size=_MAX_HEADER_BYTES,
            ws_per_message_deflate=False,
            # Who does not answer them is gone, though no packet has said so.
            ws_ping_interval=_PING_S,
            ws_ping_timeout=_PING_S,
            ssl_context_factory=None if tls is None else lambda _, __: tls.context(),
            lifespan="off",
            log_config=None,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            h11_max_incomplete_event_size=_MAX_HEADER_BYTES,
        )
        self._server = _Server(config)
        self._task = asyncio.create_task(self._server.serve(sockets=listeners))
        if tls is not None:
            self._following = asyncio.create_task(_follow(tls))
        ready = asyncio.create_task(self._server.ready.wait())
        await asyncio.wait({self._task, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            ready.cancel()
            await self._task  # it ended before it was ready: raise what it raised

    async def stop(self, grace_s: float | None = None) -> None:
        """Accept nothing more; wait for requests under way, at most this many seconds."""
        if self._server is None or self._task is None:
            return
        server, task = self._server, self._task
        self._server = self._task = None
        if self._following is not None:
            self._following.cancel()
        if grace_s is not None:
            server.config.timeout_graceful_shutdown = grace_s  # type: ignore[assignment]
        server.should_exit = True
        await task

    def _listen(self) -> list[socket.socket]:
        """Listen on every address of the host: ``localhost`` may be IPv6 and IPv4."""
        listeners: list[socket.socket] = []
        try:
            found = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            for family, _, _, _, address in sorted(found, key=_ipv4_first):
                port = listeners[0].getsockname()[1] if listeners else self.port
                try:
                    listeners.append(_bound(family, (address[0], port, *address[2:])))
                except OSError as error:
                    # A name may have an address that this machine does not.
                    if not listeners or error.errno not in _NOT_HERE:
                        raise
        except OSError as error:
            for listener in listeners:
                listener.close()
            raise UnreachableError(
                f"cannot listen on {self.host}:{self.port} for {self._purpose}",
                because=(error.strerror or str(error)).lower(),
                suggestion=f"fleetspan up {self._flag} {self.host}:0",
            ) from None
        return listeners


async def _follow(tls: Tls) -> None:
    """Have a changed certificate shown to new connections."""
    while True:
        await asyncio.sleep(_FOLLOW_S)
        tls.follow()


def _ipv4_first(found: tuple[Any, ...]) -> bool:
    return bool(found[0] != socket.AF_INET)


def _bound(family: int, address: tuple[Any, ...]) -> socket.socket:
    # Its protocol named, or asyncio does not see that it is TCP and leaves Nagle's
    # algorithm on: the body of an answer would wait 40 ms for its headers' ACK.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        # Not SO_REUSEPORT: two collectors must never share a port.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError:
        listener.close()
        raise
    return listener
