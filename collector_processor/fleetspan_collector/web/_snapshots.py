"""Taking a snapshot by hand, over the web port."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access import ForbiddenError, Scope
from fleetspan_collector.web._access import identity_of
from fleetspan_collector.web._answers import document
from fleetspan_collector.web._waiting import CATCH_UP_S, CaughtUp

TakeSnapshot = Callable[[str, str], str]
"""Takes a snapshot of a run (id or its beginning, reason) and returns its id; blocks."""


def snapshot_route(
    take: TakeSnapshot | None, caught_up: CaughtUp, schema_version: int
) -> Route:
    """Make the route ``POST /api/v1/snapshots?run=ID&reason=TEXT``.

    Args:
        take: Takes one; None on a port that only reads.
        caught_up: Waits for what was acknowledged before.
        schema_version: Of the answer.
    """
    one_at_a_time = anyio.CapacityLimiter(1)

    async def snapshot(request: Request) -> Response:
        if take is None:
            raise HTTPException(404, "this port only reads")
        identity = identity_of(request)
        identity.require(Scope.ADMIN)
        if identity.sees is not None:
            # An id says nothing of whose run it is.
            raise ForbiddenError(Scope.ADMIN)
        run_id = request.query_params.get("run", "")
        if not run_id:
            raise UsageError(
                "no snapshot can be taken",
                because="the request does not say of which run",
                suggestion="?run=ID",
            )
        reason = request.query_params.get("reason", "")
        await caught_up(CATCH_UP_S, derived=True)
        taken = await anyio.to_thread.run_sync(
            take, run_id, reason, limiter=one_at_a_time
        )
        return document({"schema_version": schema_version, "snapshot_id": taken})

    return Route("/api/v1/snapshots", snapshot, methods=["POST"])
