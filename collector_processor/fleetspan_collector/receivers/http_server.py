"""Serving an ASGI application on a socket, inside the running event loop."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any, Final

import h11
import uvicorn
from google.rpc import code_pb2
from uvicorn.protocols.http.h11_impl import H11Protocol

from .._errors import UnreachableError
from ._answers import Failure, json_bytes

_BACKLOG: Final = 2048
_KEEP_ALIVE_S: Final = 75
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
        purpose: str = "OTLP HTTP",
        flag: str = "--http",
    ) -> None:
        self.host = host
        self.port = port
        self._app = app
        self._purpose = purpose
        self._flag = flag
        self._server: _Server | None = None
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            UnreachableError: When the address cannot be listened on.
        """
        listener = self._listen()
        self.port = listener.getsockname()[1]
        config = uvicorn.Config(
            self._app,
            http=_Protocol,
            ws="none",
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
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))
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
        if grace_s is not None:
            server.config.timeout_graceful_shutdown = grace_s  # type: ignore[assignment]
        server.should_exit = True
        await task

    def _listen(self) -> socket.socket:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = socket.socket(family, kind, protocol)
            try:
                # Not SO_REUSEPORT: two collectors must never share a port.
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
                listener.listen(_BACKLOG)
            except OSError:
                listener.close()
                raise
        except OSError as error:
            raise UnreachableError(
                f"cannot listen on {self.host}:{self.port} for {self._purpose}",
                because=(error.strerror or str(error)).lower(),
                suggestion=f"fleetspan up {self._flag} {self.host}:0",
            ) from None
        listener.setblocking(False)
        return listener
