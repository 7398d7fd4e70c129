"""JSON answers of the web port, good and bad ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import JSONResponse, Response

from fleetspan_collector._errors import CollectorError, UnreachableError, UsageError
from fleetspan_collector.access import ForbiddenError, UnauthenticatedError
from fleetspan_collector.web.lookup import (
    ItemNotFoundError,
    RunAmbiguousError,
    RunNotFoundError,
)


class OrjsonResponse(JSONResponse):
    """JSON through orjson; numbers that JSON does not have become null."""

    def render(self, content: Any) -> bytes:
        """Return the bytes."""
        return orjson.dumps(content, option=orjson.OPT_NON_STR_KEYS, default=str)


def document(content: Mapping[str, object], status: int = 200) -> Response:
    """Answer with one document; it is never cached."""
    return OrjsonResponse(
        content,
        status,
        headers={"cache-control": "no-store", "x-content-type-options": "nosniff"},
    )


def problem(status: int, error: str, *, because: str, suggestion: str) -> Response:
    """Answer with a problem, its cause and what to try."""
    return document({"error": error, "because": because, "try": suggestion}, status)


def problem_of(error: CollectorError) -> Response:
    """Answer with an error of ours."""
    match error:
        case RunNotFoundError() | ItemNotFoundError():
            status = 404
        case RunAmbiguousError():
            status = 409
        case UnauthenticatedError():
            status = 401
        case ForbiddenError():
            status = 403
        case UsageError():
            status = 400
        case UnreachableError():
            status = 503
        case _:
            status = 422
    return problem(
        status, error.error, because=error.because, suggestion=error.suggestion
    )
