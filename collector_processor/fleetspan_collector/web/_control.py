"""Budgets and approvals over the web port: what they are, and what people say of them.

To change anything, who asks has to show who they are, also where nobody else has to: with
the owner's pass, as the commands do, or with an admin key.
"""

from __future__ import annotations

import time
from dataclasses import asdict
from typing import Any, Final

import anyio
import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fleetspan_collector._errors import UsageError
from fleetspan_collector.access import ForbiddenError, Identity, Scope
from fleetspan_collector.control.service import Control
from fleetspan_collector.web._access import identity_of
from fleetspan_collector.web._answers import document
from fleetspan_routing.control.rules import Measure

_MOST_BYTES: Final = 64 * 1024


def control_routes(control: Control | None, schema_version: int) -> list[Route]:
    """Make the routes below ``/api/v1/control``.

    Args:
        control: Who decides; ``None``: nothing is controlled, and they answer 404.
        schema_version: Of the answers.
    """

    def there() -> Control:
        if control is None:
            raise HTTPException(
                404, "nothing is controlled: start it with --set control_file=FILE"
            )
        return control

    async def budgets(request: Request) -> Response:
        identity = identity_of(request)
        if request.method == "POST":
            _changes(identity)
            said = await _body(request, "budget", "of", "measure", "limit")
            budget, of, measure, limit = _limit(there(), said)
            await anyio.to_thread.run_sync(
                there().set_limit, budget, of, measure, limit
            )
        else:
            identity.require(Scope.READ)
        found = there().decider.all_standings(identity.sees, time.time_ns())
        listed = [
            {
                "budget": each.budget.name,
                "of": each.of,
                "scope": str(each.budget.of),
                "measure": str(each.measure),
                "used": each.used,
                "limit": each.limit,
                "then": str(each.then),
            }
            for each in found
        ]
        return document({"schema_version": schema_version, "budgets": listed})

    async def approvals(request: Request) -> Response:
        identity = identity_of(request)
        consent = there().consent
        if request.method == "POST":
            _changes(identity)
            said = await _body(request, "approval_id", "grant")
            await anyio.to_thread.run_sync(
                lambda: consent.settle(
                    str(said["approval_id"]),
                    grant=said["grant"] is True,
                    by=identity.key_id,
                    tenant=identity.sees,
                )
            )
        else:
            identity.require(Scope.READ)
        listed = [
            {key: value for key, value in asdict(each).items() if key != "fingerprint"}
            for each in consent.listed(identity.sees)
        ]
        return document({"schema_version": schema_version, "approvals": listed})

    both = ["GET", "POST"]
    return [
        Route("/api/v1/control/budgets", budgets, methods=both),
        Route("/api/v1/control/approvals", approvals, methods=both),
    ]


def _changes(identity: Identity) -> None:
    identity.require(Scope.ADMIN)
    if not identity.key_id:
        # Anybody on this machine may read; an agent is somebody on this machine.
        raise ForbiddenError(Scope.ADMIN)


async def _body(request: Request, *names: str) -> dict[str, Any]:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise HTTPException(413, f"more than {_MOST_BYTES} bytes")
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        said = None
    if not isinstance(said, dict) or set(said) != set(names):
        raise UsageError(
            "the request cannot be carried out",
            because="it is not a JSON object with " + ", ".join(names),
            suggestion="fleetspan budget set, or fleetspan approvals",
        )
    return said


def _limit(control: Control, said: dict[str, Any]) -> tuple[str, str, Measure, float]:
    names = [budget.name for budget in control.decider.rules.budgets]
    limit = said["limit"]
    fits = isinstance(limit, int | float) and not isinstance(limit, bool)
    if said["budget"] not in names:
        because = f"{said['budget']!r} is not one of {', '.join(names) or 'none'}"
    elif said["measure"] not in set(Measure):
        because = f"{said['measure']!r} is not one of {', '.join(Measure)}"
    elif not isinstance(said["of"], str) or not said["of"]:
        because = "it does not say of what the budget is"
    elif not fits or not 0 < limit < float("inf"):
        because = f"{limit!r} is not a number above 0"
    else:
        return said["budget"], said["of"], Measure(said["measure"]), float(limit)
    raise UsageError(
        "the limit cannot be set", because=because, suggestion="fleetspan budget ls"
    )
