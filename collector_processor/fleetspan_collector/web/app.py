"""The routes of the web port."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

import anyio
import prometheus_client
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fleetspan_collector._errors import CollectorError, UsageError
from fleetspan_collector.access import ForbiddenError, Gate, OpenGate, Scope
from fleetspan_collector.access.logins import Logins
from fleetspan_collector.access.metrics import AccessMetrics
from fleetspan_collector.control.service import Control
from fleetspan_collector.live import Live, live_routes
from fleetspan_collector.web._access import AccessGuard, identity_of
from fleetspan_collector.web._answers import document, problem, problem_of
from fleetspan_collector.web._control import control_routes
from fleetspan_collector.web._guard import LOOPBACK_HOSTS, HostGuard
from fleetspan_collector.web._help import help_routes
from fleetspan_collector.web._login import login_routes
from fleetspan_collector.web._reads import reads_analysed, reads_derived
from fleetspan_collector.web._snapshots import TakeSnapshot, snapshot_route
from fleetspan_collector.web._waiting import CATCH_UP_S, CaughtUp
from fleetspan_collector.web.api.coverage import Lags
from fleetspan_collector.web.api.routes import (
    COMPLETE_HEADER,
    SCHEMA_VERSION,
    Api,
    api_router,
)
from fleetspan_collector.web.api.rows import ReadsRows
from fleetspan_collector.web.page_routes import page_routes

T = TypeVar("T")

_READERS: Final = 4
_GZIP_FROM_BYTES: Final = 4096
_QUERY_LIMIT: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """What the web port needs of a running collector.

    Attributes:
        rows: Reads the store; its methods block and are called in threads.
        registry: The metrics of the whole process.
        caught_up: Waits at most so many seconds until everything acknowledged before the
            call is readable, canonical rows too when ``derived``, and what processors say
            of them when ``analysed``, and says whether it is.
        unready: Names what stands in the way of work, each reason one sentence by a
            short name such as ``store`` or ``lag``; empty when all is well.
        hosts: Names of this machine that are served besides loopback ones; ``*``
            allows any (only sensible behind ``--insecure``).
    """

    rows: ReadsRows
    registry: prometheus_client.CollectorRegistry
    caught_up: CaughtUp
    unready: Callable[[], Awaitable[Mapping[str, str]]]
    hosts: Collection[str] = ()
    gate: Gate = field(default_factory=OpenGate)
    lags: Lags = tuple
    live: Live | None = None
    access_metrics: AccessMetrics | None = None
    reprice: Callable[[datetime | None, bool], Mapping[str, object]] | None = None
    snapshot: TakeSnapshot | None = None
    control: Control | None = None


def create_app(sources: Sources) -> FastAPI:
    """Make the application of the web port."""
    routes = _Routes(sources)
    version = importlib.metadata.version("fleetspan")
    logins = Logins(sources.gate)
    metrics = sources.access_metrics or AccessMetrics(sources.registry)
    app = FastAPI(
        title="Fleetspan",
        version=version,
        openapi_url="/api/v1/openapi.json",
        # Their pages load scripts from elsewhere.
        docs_url=None,
        redoc_url=None,
        routes=[
            Route("/healthz", routes.healthz),
            Route("/readyz", routes.readyz),
            Route("/metrics", routes.metrics),
            Route("/api/v1/sql", routes.sql, methods=["POST"]),
            Route("/api/v1/reprice", routes.reprice, methods=["POST"]),
            snapshot_route(sources.snapshot, sources.caught_up, SCHEMA_VERSION),
            *control_routes(sources.control, SCHEMA_VERSION),
            *login_routes(logins),
            *help_routes(),
            *(live_routes(sources.live, sources.gate) if sources.live else ()),
        ],
        middleware=[
            Middleware(HostGuard, hosts=LOOPBACK_HOSTS | set(sources.hosts)),
            Middleware(AccessGuard, gate=sources.gate, logins=logins, metrics=metrics),
            Middleware(GZipMiddleware, minimum_size=_GZIP_FROM_BYTES, compresslevel=1),
        ],
        exception_handlers={
            CollectorError: _on_problem,
            HTTPException: _on_http_problem,
            RequestValidationError: _on_wrong_parameter,
            Exception: _on_surprise,
        },
    )
    api = Api(
        sources.rows,
        sources.caught_up,
        sources.registry,
        sources.gate,
        sources.lags,
        version,
    )
    app.include_router(api_router(api))
    app.router.routes += page_routes(routes.index)
    return app


class _Routes:
    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        # Few at a time: each holds a thread, and the engine runs on all cores by itself.
        self._limiter = anyio.CapacityLimiter(_READERS)
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def index(self, request: Request) -> Response:
        """Say what there is."""
        return document(
            {
                "schema_version": SCHEMA_VERSION,
                "name": "fleetspan",
                "paths": {
                    "/healthz": "whether the process lives",
                    "/readyz": "whether it can work, with reasons",
                    "/metrics": "Prometheus metrics",
                    "/api/v1/openapi.json": "what the API has: runs, findings, sessions, "
                    "cost, fleet, attention, coverage, facets",
                    "/api/v1/runs": "runs; ?since=RFC3339&limit=N&wait=SECONDS",
                    "/api/v1/runs/{id}": "one run and its agents; the id may be cut short",
                    "/api/v1/live": "what arrives, as it arrives (SSE; /ws: WebSocket)",
                    "/api/v1/sql": "POST a read-only statement; ?format=FORMAT",
                    "/api/v1/reprice": "POST to price stored calls again; "
                    "?since=RFC3339&dry_run=true",
                    "/api/v1/control/budgets": "budgets, and what is used of them",
                    "/api/v1/control/approvals": "what waits for a person's consent",
                    "/api/v1/snapshots": "POST to take a snapshot; ?run=ID&reason=TEXT",
                },
            }
        )

    async def healthz(self, request: Request) -> Response:
        """Say that the process lives, and which one it is."""
        return document({"status": "ok", "pid": os.getpid()})

    async def readyz(self, request: Request) -> Response:
        """Say whether the collector can do its work."""
        identity_of(request).require(Scope.READ)
        reasons = await self._sources.unready()
        status = "unready" if reasons else "ready"
        return document({"status": status, "reasons": reasons}, 503 if reasons else 200)

    async def metrics(self, request: Request) -> Response:
        """Write the metrics in Prometheus' text format, which are of all tenants."""
        identity = identity_of(request)
        identity.require(Scope.READ)
        if identity.sees is not None:
            raise ForbiddenError(Scope.ADMIN)
        text = await self._read(
            lambda: prometheus_client.generate_latest(self._sources.registry)
        )
        return Response(text, media_type=prometheus_client.CONTENT_TYPE_PLAIN_0_0_4)

    async def sql(self, request: Request) -> Response:
        """Run one read-only statement."""
        identity = identity_of(request)
        identity.require(Scope.READ)
        sees = identity.sees
        query = await _query(request)
        output_format = request.query_params.get("format", "JSON")
        if not (output_format.isascii() and output_format.isalnum()):
            raise UsageError(
                f"the format {output_format[:80]!r} cannot be used",
                because="the name of a format is letters and digits",
                suggestion="?format=JSON, TabSeparatedWithNames, CSVWithNames or Parquet",
            )
        complete = await self._sources.caught_up(
            CATCH_UP_S,
            derived=reads_derived(query),
            analysed=reads_analysed(query),
        )
        reader = self._sources.rows.reader(sees)
        result = await self._read(lambda: reader.sql(query, output_format))
        answer = Response(
            result,
            media_type="application/octet-stream",
            headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
        )
        return _marked(answer, complete=complete)

    async def reprice(self, request: Request) -> Response:
        """Price stored calls again."""
        identity = identity_of(request)
        identity.require(Scope.ADMIN)
        if identity.sees is not None:
            # It is the rows of all tenants that are priced.
            raise ForbiddenError(Scope.ADMIN)
        reprice = self._sources.reprice
        if reprice is None:
            raise HTTPException(404, "this port only reads")
        since = _time(request.query_params.get("since"))
        dry_run = _flag(request.query_params.get("dry_run"))
        complete = await self._sources.caught_up(CATCH_UP_S, derived=True)
        # Its own thread: it may take minutes, and readers need theirs.
        done = await anyio.to_thread.run_sync(
            lambda: reprice(since, dry_run), limiter=self._one_at_a_time
        )
        answer = document({"schema_version": SCHEMA_VERSION, **done})
        return _marked(answer, complete=complete)

    async def _read(self, read: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(read, limiter=self._limiter)


def _marked(answer: Response, *, complete: bool) -> Response:
    """Say whether the answer holds everything that was acknowledged before the question."""
    answer.headers[COMPLETE_HEADER] = "true" if complete else "false"
    return answer


async def _query(request: Request) -> str:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _QUERY_LIMIT:
            raise HTTPException(413, f"a statement has at most {_QUERY_LIMIT} bytes")
    try:
        query = body.decode("utf-8").strip()
    except UnicodeDecodeError as error:
        raise HTTPException(400, f"the statement is not UTF-8: {error}") from error
    if not query:
        raise HTTPException(400, "the body is empty, and should be a statement")
    return query


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UsageError(
            f"since={text[:80]!r} cannot be used",
            because="it is not an RFC 3339 time with its zone",
            suggestion="?since=2026-01-02T03:04:05Z",
        )
    return time


def _flag(text: str | None) -> bool:
    if text is None:
        return False
    if text in {"true", "false"}:
        return text == "true"
    raise UsageError(
        f"dry_run={text[:80]!r} cannot be used",
        because="it is neither true nor false",
        suggestion="?dry_run=true",
    )


async def _on_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, CollectorError):
        raise error
    return problem_of(error)


async def _on_http_problem(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    return problem(
        error.status_code,
        f"{request.method} {request.url.path} cannot be answered",
        because=error.detail,
        suggestion="GET / for what there is",
    )


async def _on_wrong_parameter(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return problem(
        400,
        f"the parameter {name!r} cannot be used",
        because=str(first["msg"]).lower(),
        suggestion="GET /api/v1/openapi.json for what it takes",
    )


async def _on_surprise(request: Request, error: Exception) -> Response:
    # Starlette raises it again behind this answer, and uvicorn logs the traceback.
    return problem(
        500,
        "something went wrong in the collector",
        because=f"{type(error).__name__}: {error}",
        suggestion="the log of the collector has the traceback",
    )
