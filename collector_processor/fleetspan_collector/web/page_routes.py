"""The page: static files of the wheel, and the paths that it answers to."""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Awaitable, Callable
from functools import cache
from importlib import resources
from typing import Final

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS: Final = {
    "content-security-policy": _CSP,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
}
_PATHS: Final = (
    *("/", "/runs", "/runs/{rest:path}", "/findings", "/sessions"),
    *("/sessions/{rest:path}", "/cost", "/coverage", "/live"),
)
_TYPES: Final = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".md": "text/plain",
}


def page_routes(
    for_programs: Callable[[Request], Awaitable[Response]],
) -> list[BaseRoute]:
    """Return the routes of the page.

    Args:
        for_programs: Answers ``/`` to whoever does not ask for HTML.
    """

    async def page(request: Request) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return _answer(request, "index.html", kept="no-cache")
        if request.url.path == "/":
            return await for_programs(request)
        raise HTTPException(404, "there is a page here, for browsers alone")

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in _files():
            raise HTTPException(404, "there is no such file")
        return _answer(request, name, kept="no-cache")

    return [
        *(Route(path, page, methods=["GET"]) for path in _PATHS),
        Route("/static/{name:path}", file, methods=["GET"]),
    ]


@cache
def _files() -> dict[str, tuple[bytes, str, str]]:
    """All files of the page by name: bytes, media type and entity tag.

    What is not in here is not served, whatever a path says.
    """
    folder = resources.files("fleetspan_collector.web") / "page"
    found: dict[str, tuple[bytes, str, str]] = {}
    waiting = [("", folder)]
    while waiting:
        prefix, here = waiting.pop()
        for entry in here.iterdir():
            if entry.is_dir():
                waiting.append((f"{prefix}{entry.name}/", entry))
                continue
            name = prefix + entry.name
            suffix = "." + name.rpartition(".")[2]
            kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0]
            if kind is None:
                continue
            content = entry.read_bytes()
            tag = f'"{hashlib.sha256(content).hexdigest()[:24]}"'
            found[name] = (content, kind, tag)
    return found


def _answer(request: Request, name: str, *, kept: str) -> Response:
    content, kind, tag = _files()[name]
    headers = {**_HEADERS, "etag": tag, "cache-control": kept}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    return Response(content, media_type=kind, headers=headers)
