"""Who asks on the web port, before any route is reached."""

from __future__ import annotations

from typing import Final

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fleetspan_collector.access import Gate, Identity, UnauthenticatedError
from fleetspan_collector.access.gate import key_of
from fleetspan_collector.access.logins import COOKIE, Logins
from fleetspan_collector.access.metrics import AccessMetrics
from fleetspan_collector.web._answers import problem_of

_FACE: Final = "web"
# What anybody may fetch: whether the process lives, and what a page needs to log in.
_OPEN: Final = frozenset({"/healthz", "/login", "/logout", "/api/v1/whoami"})
_OPEN_UNDER: Final = ("/static/", "/help/")
_READING: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_REASONS: Final = {401: "unauthenticated", 403: "forbidden"}
_UNAUTHORIZED_CLOSE: Final = 4401


class AccessGuard:
    """Finds out who asks, and turns away who does not say.

    The routes behind it find the identity in ``scope["state"]["identity"]``; where a key
    is wanted and a path is open to all, it is ``None`` for who has shown none.

    Args:
        app: The application behind it.
        gate: Knows the keys.
        logins: Knows the browsers that have shown one.
        metrics: Counts who was turned away.
    """

    def __init__(
        self, app: ASGIApp, gate: Gate, logins: Logins, metrics: AccessMetrics
    ) -> None:
        self._app = app
        self._gate = gate
        self._logins = logins
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its identity, or answer 401."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        identity: Identity | None = None
        try:
            identity = self._identify(scope)
        except UnauthenticatedError as error:
            if not _is_open(scope):
                self._metrics.refused.labels(_FACE, "unauthenticated").inc()
                await _turn_away(scope, receive, send, error)
                return
        scope.setdefault("state", {})["identity"] = identity
        await self._app(scope, receive, self._counting(send))

    def _counting(self, send: Send) -> Send:
        """Count what the routes turn away, too: a key that does not allow something."""

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                reason = _REASONS.get(message["status"])
                if reason is not None:
                    self._metrics.refused.labels(_FACE, reason).inc()
            await send(message)

        return counted

    def _identify(self, scope: Scope) -> Identity:
        key = key_of(Headers(scope=scope))
        if key is None and (known := self._logged_in(scope)) is not None:
            return known
        return self._gate.identify(key)

    def _logged_in(self, scope: Scope) -> Identity | None:
        token = HTTPConnection(scope).cookies.get(COOKIE)
        if not token or not _is_by_own_page(scope):
            return None
        return self._logins.identity(token)


def identity_of(request: HTTPConnection) -> Identity:
    """Return who asks.

    Raises:
        UnauthenticatedError: When nobody said.
    """
    identity: Identity | None = request.state.identity
    if identity is None:
        raise UnauthenticatedError
    return identity


def _is_by_own_page(scope: Scope) -> bool:
    """Tell whether a request that shows a cookie may change something, or only reads.

    Browsers send cookies along with requests that other pages make; they name the page
    then, and another one than ours was turned away before. Who names none must not act.
    """
    reads = scope["type"] == "http" and scope["method"] in _READING
    return reads or "origin" in Headers(scope=scope)


def _is_open(scope: Scope) -> bool:
    path: str = scope["path"]
    if scope["type"] != "http":
        return False
    if path in _OPEN or path.startswith(_OPEN_UNDER):
        return True
    # The page itself holds nothing; it finds out that it has to log in.
    wants_page = "text/html" in Headers(scope=scope).get("accept", "")
    return scope["method"] == "GET" and wants_page and not path.startswith("/api/")


async def _turn_away(
    scope: Scope, receive: Receive, send: Send, error: UnauthenticatedError
) -> None:
    if scope["type"] == "websocket":
        # Closing before accepting is answered 403 by the server; a reason needs a
        # connection, and browsers show neither.
        await send({"type": "websocket.close", "code": _UNAUTHORIZED_CLOSE})
        return
    answer = problem_of(error)
    answer.headers["www-authenticate"] = 'Bearer realm="fleetspan"'
    await answer(scope, receive, send)
