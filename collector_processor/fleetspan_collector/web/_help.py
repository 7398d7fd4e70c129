"""Help that alerts link to: what each means, and what to do."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

from fleetspan_dashboards.alerts import rules, runbook
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

ALERTS_PATH: Final = "/help/alerts"
_STYLE: Final = base64.b64encode(
    hashlib.sha256(runbook.STYLE.encode()).digest()
).decode()
_HEADERS: Final = {
    "cache-control": "no-cache",
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}


def help_routes() -> list[Route]:
    """Return the routes of the help; it holds no data, and so asks for no key."""
    page = runbook.as_html(rules())

    async def alerts(request: Request) -> Response:
        return HTMLResponse(page, headers=_HEADERS)

    return [Route(ALERTS_PATH, alerts, methods=["GET"])]
