"""Who may ask: requests from this machine's own addresses, not from a foreign page.

A page of another site can make a browser send requests to 127.0.0.1 (DNS rebinding, or
a plain form). Its ``Host`` or its ``Origin`` gives it away.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from fleetspan_collector.web._answers import problem

_POLICY_VIOLATION: Final = 1008
LOOPBACK_HOSTS: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})


class HostGuard:
    """Refuse requests whose ``Host`` or ``Origin`` is not one of ours.

    Args:
        app: The application behind it.
        hosts: Names and addresses, IPv6 in brackets, without ports. ``*`` allows any.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str]) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 403."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        origin = headers.get("origin")
        if not self._allows(host):
            answer = problem(
                403,
                "this host name is not served",
                because=f"the request's Host is {host[:200]!r}, which may be a foreign page "
                "that reaches for this machine",
                suggestion="ask 127.0.0.1 or localhost",
            )
        elif origin is not None and origin.partition("://")[2].lower() != host.lower():
            answer = problem(
                403,
                "requests from other pages are not served",
                because=f"the request's Origin is {origin[:200]!r}",
                suggestion="send it from a program, or from a page of this port",
            )
        else:
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            # Before it is accepted: the server answers the handshake with 403.
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION})
            return
        await answer(scope, receive, send)

    def _allows(self, host: str) -> bool:
        name = host.lower()
        if not name.endswith("]"):
            head, colon, port = name.rpartition(":")
            if colon and port.isdigit():
                name = head
        return name in self._hosts or ("*" in self._hosts and bool(name))
