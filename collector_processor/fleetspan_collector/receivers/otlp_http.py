"""OTLP over HTTP, as an ASGI application with a table of POST routes."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any, Final

from google.rpc import code_pb2

from .._signals import Signal
from ._answers import Failure, json_bytes
from ._http_body import ENCODINGS, Body, Disconnected, Receive, discard, read_body
from ._intake import Intake
from ._route import Handler, HttpAnswer, HttpRequest, Route
from .claude_code import routes as claude_code_routes
from .snapshots import routes as snapshot_routes

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_UNAUTHORIZED: Final = 401

# How long, and how much of, a refused body is still read for the answer to arrive.
_DISCARD_S: Final = 2.0

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class _Answered(Exception):  # noqa: N818 - not an error of ours
    def __init__(self, failure: Failure, *headers: tuple[str, str]) -> None:
        self.failure = failure
        self.headers = headers
        super().__init__(failure.message)


@dataclass(slots=True)
class OtlpHttpApp:
    """The ASGI application.

    Attributes:
        intake: Where requests go.
        routes: By path; more may be added at any time.
    """

    intake: Intake
    routes: dict[str, Route] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for signal in (Signal.TRACES, Signal.LOGS, Signal.METRICS):
            self.routes[f"/v1/{signal}"] = Route(
                handler=self._exporter(signal),
                content_types=(PROTOBUF, JSON),
                label=signal,
            )
        self.routes |= claude_code_routes(self.intake)
        self.routes |= snapshot_routes(self.intake)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; every error has a ``google.rpc.Status`` body."""
        if scope["type"] != "http":
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        route = self.routes.get(scope["path"])
        label = route.label if route else "unknown"
        body = Body(receive)
        try:
            answer = await self._answer(scope, body, headers, kind, route)
        except Disconnected:
            metrics = self.intake.metrics
            metrics.refused.labels(label, _protocol(kind), "disconnected").inc()
            return
        except _Answered as answered:
            failure = answered.failure
            refused = self.intake.metrics.refused
            refused.labels(label, _protocol(kind), failure.reason).inc()
            answer = _error(failure, kind, answered.headers)
            await discard(body, self.intake.settings.max_request_bytes, _DISCARD_S)
        except Exception as error:  # noqa: BLE001 - every error is an answer
            failure = self.intake.failure(error, label, _protocol(kind))
            answer = _error(failure, kind)
            await discard(body, self.intake.settings.max_request_bytes, _DISCARD_S)
        await _send(send, answer)

    async def _answer(
        self,
        scope: Scope,
        arriving: Body,
        headers: Mapping[str, str],
        kind: str,
        route: Route | None,
    ) -> HttpAnswer:
        settings = self.intake.settings
        self._check_host(scope, headers.get("host", ""))
        path = scope["path"]
        if route is None:
            raise _refuse(
                "path", 404, code_pb2.NOT_FOUND, f"there is no {path}", self._paths()
            )
        encoding = _check_form(scope["method"], headers, kind, route)
        # Before a byte of the body is read.
        tenant = self.intake.tenant_of(headers)
        with self.intake.admission.reserve() as reservation:
            try:
                async with asyncio.timeout(settings.body_timeout_s):
                    body = await read_body(
                        arriving, encoding, settings.max_request_bytes, reservation
                    )
            except TimeoutError:
                raise _refuse(
                    "body_timeout",
                    408,
                    code_pb2.DEADLINE_EXCEEDED,
                    f"the body did not arrive in {settings.body_timeout_s} s",
                ) from None
            request = HttpRequest(
                path=path,
                headers=headers,
                tenant=tenant,
                content_type=kind,
                body=body,
                reservation=reservation,
            )
            return await route.handler(request)

    def _exporter(self, signal: Signal) -> Handler:
        async def export(request: HttpRequest) -> HttpAnswer:
            response = await self.intake.export(
                signal,
                _protocol(request.content_type),
                request.body,
                tenant=request.tenant,
                reservation=request.reservation,
            )
            as_json = request.content_type == JSON
            return HttpAnswer(
                status=200,
                content_type=request.content_type,
                body=json_bytes(response) if as_json else response.SerializeToString(),
            )

        return export

    def _paths(self) -> str:
        return "expected one of: " + ", ".join(sorted(self.routes))

    def _check_host(self, scope: Scope, host: str) -> None:
        """Refuse a ``Host`` that is not ours.

        A web page can point a name of its own at 127.0.0.1 (DNS rebinding) and then post
        here as if to its own site; the name in ``Host`` gives it away.
        """
        name = _host_name(host)
        server = scope.get("server")
        allowed = self.intake.settings.allowed_hosts
        if (
            _is_loopback(name)
            or "*" in allowed
            or name in allowed
            or (server is not None and name == str(server[0]).lower())
        ):
            return
        raise _refuse(
            "host",
            403,
            code_pb2.PERMISSION_DENIED,
            f"the Host header names {host!r}, which is not a name of this collector",
            "add it to the allowed hosts if it is one",
        )


def _check_form(
    method: str, headers: Mapping[str, str], kind: str, route: Route
) -> str:
    """Check method, type and encoding; return the encoding."""
    if method != "POST":
        raise _Answered(
            Failure(
                reason="method",
                http_status=405,
                code=code_pb2.UNIMPLEMENTED,
                message=f"the method is {method}, expected POST",
            ),
            ("allow", "POST"),
        )
    if kind not in route.content_types:
        raise _refuse(
            "content_type",
            415,
            code_pb2.INVALID_ARGUMENT,
            f"the Content-Type is {kind!r}",
            f"expected one of: {', '.join(route.content_types)}",
        )
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in ENCODINGS:
        raise _refuse(
            "content_encoding",
            415,
            code_pb2.INVALID_ARGUMENT,
            f"the Content-Encoding is {encoding!r}",
            "expected gzip or none",
        )
    return encoding


def _refuse(
    reason: str, http_status: int, code: int, message: str, hint: str = ""
) -> _Answered:
    return _Answered(
        Failure(
            reason=reason,
            http_status=http_status,
            code=code,
            message=f"{message}; {hint}" if hint else message,
        )
    )


def _host_name(host: str) -> str:
    """The name in a Host header, without port, brackets and final dot, lower-case."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].rstrip(".").lower()


def _is_loopback(name: str) -> bool:
    if name == "localhost" or name.endswith(".localhost"):  # RFC 6761, 6.3
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _protocol(kind: str) -> str:
    return "http/json" if "json" in kind else "http/protobuf"


def _error(
    failure: Failure, kind: str, headers: tuple[tuple[str, str], ...] = ()
) -> HttpAnswer:
    """Put an error into the request's encoding; JSON where that is unknown."""
    status = failure.status()
    if failure.retry_after_s is not None:
        headers = (*headers, ("retry-after", failure.retry_after()))
    if failure.http_status == _UNAUTHORIZED:
        headers = (*headers, ("www-authenticate", 'Bearer realm="fleetspan"'))
    if kind == PROTOBUF:
        body, content_type = status.SerializeToString(), PROTOBUF
    else:
        body, content_type = json_bytes(status), JSON
    return HttpAnswer(
        status=failure.http_status,
        content_type=content_type,
        body=body,
        headers=headers,
    )


async def _send(send: Send, answer: HttpAnswer) -> None:
    headers = (
        ("content-type", answer.content_type),
        ("content-length", str(len(answer.body))),
        *answer.headers,
    )
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
    )
    await send({"type": "http.response.body", "body": answer.body})
