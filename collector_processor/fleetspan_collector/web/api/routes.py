"""The routes of the JSON API; everything that they do is elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal, TypeVar

import anyio
import prometheus_client
from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from fleetspan_collector.access import Gate, Scope
from fleetspan_collector.web._access import identity_of
from fleetspan_collector.web._answers import document
from fleetspan_collector.web._waiting import CATCH_UP_S, CaughtUp
from fleetspan_collector.web.api import documents as d
from fleetspan_collector.web.api.cost import BY, cost
from fleetspan_collector.web.api.coverage import FACETS, Lags, coverage, facet
from fleetspan_collector.web.api.fleet import attention, fleet
from fleetspan_collector.web.api.item import item
from fleetspan_collector.web.api.lists import (
    FindingFilter,
    list_findings,
    list_sessions,
    worst_findings,
)
from fleetspan_collector.web.api.parameters import (
    Cursor,
    Id,
    Limit,
    SeverityParameter,
    StatusParameter,
    Text,
    Time,
    Wait,
    nanoseconds,
    rank,
)
from fleetspan_collector.web.api.rows import ReadsRows
from fleetspan_collector.web.api.runs import SORTS, RunFilter, list_runs, one_run
from fleetspan_collector.web.api.timeline import MOST_ROWS, timeline
from fleetspan_collector.web.lookup import find_run

T = TypeVar("T")

SCHEMA_VERSION: Final = 1
COMPLETE_HEADER: Final = "x-fleetspan-complete"
_READERS: Final = 4
_DAY_S: Final = 86_400
_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": d.Problem, "description": text}
    for status, text in (
        (400, "A parameter cannot be used."),
        (401, "No key was shown, or none in force."),
        (403, "The key does not allow that."),
        (404, "There is no such thing."),
        (409, "Several have such an id."),
        (503, "The store cannot be read now."),
    )
}
Sort = Annotated[str, Query(pattern=f"^({'|'.join(SORTS)})$")]
By = Annotated[str, Query(pattern=f"^({'|'.join(BY)})$")]
Field = Annotated[str, Query(pattern=f"^({'|'.join(FACETS)})$")]
RunId = Annotated[str, Path(max_length=1024, description="Id, or its beginning.")]


class Api:
    """What the routes share.

    Args:
        rows: The store.
        caught_up: Waits until what was acknowledged can be read.
        registry: The metrics of this collector.
        gate: Whether keys are in use.
        lags: How far behind destinations are.
        version: Of this software.
    """

    def __init__(
        self,
        rows: ReadsRows,
        caught_up: CaughtUp,
        registry: prometheus_client.CollectorRegistry,
        gate: Gate,
        lags: Lags,
        version: str,
    ) -> None:
        self.rows = rows
        self.registry = registry
        self.gate = gate
        self.lags = lags
        self.version = version
        self._caught_up = caught_up
        # Few at a time: each holds a thread, and the engine runs on all cores by itself.
        self._limiter = anyio.CapacityLimiter(_READERS)

    def sees(self, request: Request) -> str | None:
        """Return whose rows the asker may read.

        Raises:
            UnauthenticatedError: When nobody said who asks.
            ForbiddenError: When they may not read.
        """
        identity = identity_of(request)
        identity.require(Scope.READ)
        return identity.sees

    async def answer(
        self,
        wait_s: float,
        read: Callable[[], Mapping[str, Any]],
        *,
        analysed: bool = False,
    ) -> Response:
        """Read in a thread, once what was acknowledged can be read."""
        complete = await self._caught_up(wait_s, derived=True, analysed=analysed)
        found = await anyio.to_thread.run_sync(read, limiter=self._limiter)
        made = document(
            {"schema_version": SCHEMA_VERSION, **found, "complete": complete}
        )
        made.headers[COMPLETE_HEADER] = "true" if complete else "false"
        return made

    def whole_run(self, sees: str | None, run_id: str) -> dict[str, Any]:
        """Return the row of a run by its id or the only one that begins so.

        Raises:
            UsageError: When there is none, or several.
        """
        found = one_run(self.rows, sees, run_id)
        if found is None:
            whole = find_run(self.rows.reader(sees), run_id)["run_id"]
            found = one_run(self.rows, sees, whole)
        if found is None:
            raise LookupError(run_id)
        return found


def api_router(api: Api) -> APIRouter:
    """Return the routes under ``/api/v1``."""
    router = APIRouter(prefix="/api/v1", responses=_PROBLEMS)
    _add_runs(router, api)
    _add_run(router, api)
    _add_lists(router, api)
    _add_fleet(router, api)
    return router


def _add_runs(router: APIRouter, api: Api) -> None:
    @router.get("/runs", response_model=d.Runs, summary="Runs, newest first")
    async def runs(
        request: Request,
        since: Time = None,
        until: Time = None,
        status: StatusParameter = "",
        service: Text = "",
        project: Text = "",
        environment: Text = "",
        user: Text = "",
        session: Id = "",
        agent: Text = "",
        model: Text = "",
        tool: Text = "",
        detector: Text = "",
        severity: SeverityParameter = None,
        q: Text = "",
        sort: Sort = "started",
        order: Literal["asc", "desc"] = "desc",
        limit: Annotated[int, Query(ge=1, le=1_000_000)] = 100,
        cursor: Cursor = None,
        wait: Wait = CATCH_UP_S,
    ) -> Response:
        sees = api.sees(request)
        wanted = RunFilter(
            since_ns=nanoseconds("since", since),
            until_ns=nanoseconds("until", until),
            status=status,
            service=service,
            project=project,
            environment=environment,
            user=user,
            session=session,
            agent=agent,
            model=model,
            tool=tool,
            detector=detector,
            q=q,
            min_severity=rank(severity),
            sort=sort,
            ascending=order == "asc",
        )

        def read() -> Mapping[str, Any]:
            found, following = list_runs(api.rows, sees, wanted, cursor, limit)
            return {"runs": found, "next_cursor": following}

        return await api.answer(wait, read, analysed=bool(detector or severity))


def _add_run(router: APIRouter, api: Api) -> None:
    @router.get(
        "/runs/{run_id:path}/timeline",
        response_model=d.Timeline,
        summary="The waterfall of a run",
    )
    async def run_timeline(
        request: Request,
        run_id: RunId,
        offset: Annotated[int, Query(ge=0, le=MOST_ROWS)] = 0,
        limit: Annotated[int, Query(ge=1, le=MOST_ROWS)] = 10_000,
        wait: Wait = CATCH_UP_S,
    ) -> Response:
        sees = api.sees(request)
        return await api.answer(
            wait,
            lambda: timeline(
                api.rows,
                sees,
                api.whole_run(sees, run_id),
                offset=offset,
                limit=limit,
            ),
        )

    @router.get(
        "/runs/{run_id:path}/items/{kind}/{item_id:path}",
        response_model=d.Item,
        summary="One row of it, with everything known of it",
    )
    async def run_item(
        request: Request,
        run_id: RunId,
        kind: Literal["agent", "llm", "tool", "span"],
        item_id: Annotated[str, Path(max_length=1024)],
        trace_id: Annotated[str | None, Query(max_length=32)] = None,
        wait: Wait = CATCH_UP_S,
    ) -> Response:
        sees = api.sees(request)
        return await api.answer(
            wait,
            lambda: item(
                api.rows, sees, api.whole_run(sees, run_id), kind, item_id, trace_id
            ),
        )

    @router.get(
        "/runs/{run_id:path}/findings",
        response_model=d.Findings,
        summary="What processors say of a run, the worst first",
    )
    async def run_findings(
        request: Request, run_id: RunId, limit: Limit = 200, wait: Wait = CATCH_UP_S
    ) -> Response:
        sees = api.sees(request)

        def read() -> Mapping[str, Any]:
            whole = api.whole_run(sees, run_id)["run_id"]
            wanted = FindingFilter(run_id=whole)
            found = worst_findings(api.rows, sees, wanted, limit)
            return {"findings": found, "next_cursor": None}

        return await api.answer(wait, read, analysed=True)

    @router.get("/runs/{run_id:path}", summary="A run and its agents")
    async def run(request: Request, run_id: RunId, wait: Wait = CATCH_UP_S) -> Response:
        sees = api.sees(request)
        reader = api.rows.reader
        return await api.answer(wait, lambda: dict(find_run(reader(sees), run_id)))


def _add_lists(router: APIRouter, api: Api) -> None:
    @router.get(
        "/findings", response_model=d.Findings, summary="Findings, newest first"
    )
    async def findings(
        request: Request,
        since: Time = None,
        until: Time = None,
        run: Id = "",
        detector: Text = "",
        agent: Text = "",
        session: Id = "",
        severity: SeverityParameter = None,
        limit: Limit = 100,
        cursor: Cursor = None,
        wait: Wait = CATCH_UP_S,
    ) -> Response:
        sees = api.sees(request)
        wanted = FindingFilter(
            since_ns=nanoseconds("since", since),
            until_ns=nanoseconds("until", until),
            run_id=run,
            detector=detector,
            agent=agent,
            session=session,
            min_severity=max(rank(severity), 0),
        )

        def read() -> Mapping[str, Any]:
            found, following = list_findings(api.rows, sees, wanted, cursor, limit)
            return {"findings": found, "next_cursor": following}

        return await api.answer(wait, read, analysed=True)

    @router.get(
        "/sessions",
        response_model=d.Sessions,
        summary="Sessions, the latest active first",
    )
    async def sessions(
        request: Request,
        since: Time = None,
        q: Text = "",
        user: Text = "",
        project: Text = "",
        service: Text = "",
        limit: Limit = 100,
        cursor: Cursor = None,
        wait: Wait = CATCH_UP_S,
    ) -> Response:
        sees = api.sees(request)
        wanted: dict[str, str | int] = {
            "since": nanoseconds("since", since),
            "q": q,
            "user": user,
            "project": project,
            "service": service,
        }

        def read() -> Mapping[str, Any]:
            found, following = list_sessions(api.rows, sees, wanted, cursor, limit)
            return {"sessions": found, "next_cursor": following}

        return await api.answer(wait, read)

    @router.get("/cost", response_model=d.Cost, summary="Cost over time, by something")
    async def cost_over_time(
        request: Request,
        by: By = "model",
        since: Time = None,
        until: Time = None,
        bin_s: Annotated[int | None, Query(alias="bin", ge=1, le=366 * _DAY_S)] = None,
        wait: Wait = CATCH_UP_S,
    ) -> Response:
        sees = api.sees(request)
        until_s = nanoseconds("until", until) // 1_000_000_000 or int(time.time()) + 1
        since_s = nanoseconds("since", since) // 1_000_000_000 or until_s - _DAY_S
        return await api.answer(
            wait,
            lambda: cost(
                api.rows, sees, by=by, since_s=since_s, until_s=until_s, bin_s=bin_s
            ),
        )


def _add_fleet(router: APIRouter, api: Api) -> None:
    @router.get("/fleet", response_model=d.Fleet, summary="Agents at work now")
    async def fleet_now(
        request: Request, limit: Limit = 500, wait: Wait = CATCH_UP_S
    ) -> Response:
        sees = api.sees(request)
        return await api.answer(wait, lambda: fleet(api.rows, sees, limit))

    @router.get(
        "/attention", response_model=d.Attention, summary="What needs attention"
    )
    async def needs_attention(request: Request, wait: Wait = CATCH_UP_S) -> Response:
        sees = api.sees(request)

        def read() -> Mapping[str, Any]:
            since_s = int(time.time()) - _DAY_S
            known = coverage(api.rows, sees, since_s, api.registry, api.lags)
            return attention(api.rows, sees, known)

        return await api.answer(wait, read, analysed=True)

    @router.get("/coverage", response_model=d.Coverage, summary="How much is known")
    async def how_much_is_known(
        request: Request, since: Time = None, wait: Wait = CATCH_UP_S
    ) -> Response:
        sees = api.sees(request)
        since_s = nanoseconds("since", since) // 1_000_000_000
        since_s = since_s or int(time.time()) - _DAY_S
        return await api.answer(
            wait, lambda: coverage(api.rows, sees, since_s, api.registry, api.lags)
        )

    @router.get("/facets", response_model=d.Facets, summary="Values to filter by")
    async def facets(
        request: Request,
        field: Field,
        since: Time = None,
        q: Text = "",
        limit: Limit = 50,
        wait: Wait = 0.0,
    ) -> Response:
        sees = api.sees(request)
        since_s = nanoseconds("since", since) // 1_000_000_000
        since_s = since_s or int(time.time()) - 7 * _DAY_S
        return await api.answer(
            wait, lambda: facet(api.rows, sees, field, since_s, q, limit)
        )

    @router.get("/whoami", response_model=d.Whoami, summary="Who asks")
    async def whoami(request: Request) -> Response:
        identity = request.state.identity
        return document(
            {
                "schema_version": SCHEMA_VERSION,
                "required": api.gate.required,
                "key_id": identity.key_id if identity else None,
                "tenant": identity.sees if identity else None,
                "scopes": sorted(identity.scopes) if identity else [],
                "version": api.version,
            }
        )
