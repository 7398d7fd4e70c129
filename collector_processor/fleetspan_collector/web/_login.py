"""Logging in with a browser: a key once, then a cookie."""

from __future__ import annotations

import html
import json
from typing import Final
from urllib.parse import parse_qs

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from fleetspan_collector.access import UnauthenticatedError
from fleetspan_collector.access.logins import COOKIE, IDLE_S, Logins

_MOST_BYTES: Final = 4096
_HEADERS: Final = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; style-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_PAGE: Final = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · Fleetspan</title>
<link rel="stylesheet" href="/static/page.css">
</head>
<body class="login">
<main>
<h1>Fleetspan</h1>
<form method="post" action="/login">
<label for="key">API key</label>
<input id="key" name="key" type="password" autocomplete="current-password" required autofocus>
<button type="submit">Log in</button>
</form>
<p role="alert">{problem}</p>
<p>Keys are made with <code>fleetspan keys add</code>.</p>
</main>
</body>
</html>
"""


def login_routes(logins: Logins) -> list[Route]:
    """Return the routes ``/login`` and ``/logout``.

    Args:
        logins: Where logins are kept.
    """

    async def show(request: Request) -> Response:
        return _page("", 200)

    async def log_in(request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > _MOST_BYTES:
                return _page("that is no key", 413)
        as_json = request.headers.get("content-type", "").startswith("application/json")
        try:
            token = logins.log_in(_key_in(body, as_json=as_json))
        except UnauthenticatedError as error:
            return _page(error.because, 401)
        answer = RedirectResponse("/", 303, headers={"cache-control": "no-store"})
        answer.set_cookie(
            COOKIE,
            token,
            max_age=int(IDLE_S),
            httponly=True,
            samesite="strict",
            secure=request.url.scheme == "https",
        )
        return answer

    async def log_out(request: Request) -> Response:
        logins.log_out(request.cookies.get(COOKIE, ""))
        answer = RedirectResponse("/login", 303, headers={"cache-control": "no-store"})
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict")
        return answer

    return [
        Route("/login", show, methods=["GET"]),
        Route("/login", log_in, methods=["POST"]),
        Route("/logout", log_out, methods=["POST"]),
    ]


def _key_in(body: bytes, *, as_json: bool) -> str:
    """Return the key of a form, or of a JSON object; ``""`` for none."""
    text = body.decode("utf-8", "replace")
    if not as_json:
        return parse_qs(text).get("key", [""])[0].strip()
    try:
        document = json.loads(text)
    except ValueError:
        return ""
    key = document.get("key") if isinstance(document, dict) else None
    return key.strip() if isinstance(key, str) else ""


def _page(problem: str, status: int) -> HTMLResponse:
    return HTMLResponse(_PAGE.format(problem=html.escape(problem)), status, _HEADERS)
