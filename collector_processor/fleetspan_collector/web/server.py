"""A web server in the collector's own event loop."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from fleetspan_collector.config import Endpoint, port_in_use

_GRACE_S: Final = 5


class _Server(uvicorn.Server):
    """uvicorn that leaves the signals of the process alone."""

    async def run_quietly(self, listener: socket.socket) -> None:
        # serve() would take SIGINT and SIGTERM over; the collector has its own answer.
        await self._serve([listener])


class WebServer:
    """Serves an application on one endpoint; ``start`` and ``stop`` once each.

    Args:
        app: What to serve.
        endpoint: Where to listen; port 0 picks a free one.
        name: The setting that names the endpoint, for the error of a taken port.
    """

    def __init__(self, app: ASGIApp, endpoint: Endpoint, *, name: str = "web") -> None:
        self._endpoint = endpoint
        self._name = name
        self._server = _Server(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
                ws="none",
            )
        )
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> Endpoint:
        """Listen, and return once requests are taken.

        Returns:
            The endpoint with its actual port.

        Raises:
            UnreachableError: When the endpoint cannot be listened on.
        """
        listener = self._listen()
        port = listener.getsockname()[1]
        self._task = asyncio.create_task(
            self._server.run_quietly(listener), name=f"fleetspan-{self._name}"
        )
        while not self._server.started and not self._task.done():
            # uvicorn has no event for this; it takes one turn of the loop or two.
            await asyncio.sleep(0.001)
        if self._task.done():
            await self._task
        return Endpoint(self._endpoint.host, port)

    async def stop(self) -> None:
        """Finish the requests in flight, for 5 seconds at most, and close the port."""
        if self._task is None:
            return
        self._server.should_exit = True
        task, self._task = self._task, None
        await task

    def _listen(self) -> socket.socket:
        host, port = self._endpoint.host, self._endpoint.port
        try:
            found = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
            family, kind, protocol, _, address = found[0]
            listener = socket.socket(family, kind, protocol)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind(address)
                # At once: two sockets may bind one port, but only one may listen.
                listener.listen(128)
                listener.setblocking(False)
            except OSError:
                listener.close()
                raise
        except OSError as error:
            raise port_in_use(self._name, self._endpoint, error) from error
        return listener
