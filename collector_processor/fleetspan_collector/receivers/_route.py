"""What answers a POST on the OTLP HTTP port, and what it is given."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from ._admission import Reservation


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """A POST request whose host, type, encoding and size were found right.

    Attributes:
        path: Its path, without the query.
        headers: By lower-case name; of a name given twice the last.
        tenant: Whose it is.
        content_type: Its media type, lower-case, without parameters.
        body: The decompressed body.
        reservation: The room that the body holds while the request is handled.
    """

    path: str
    headers: Mapping[str, str]
    tenant: str
    content_type: str
    body: bytes
    reservation: Reservation


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAnswer:
    """The answer to a request."""

    status: int
    content_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


Handler = Callable[[HttpRequest], Awaitable[HttpAnswer]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """What answers a POST to a path.

    Attributes:
        handler: Gives the answer; it may raise `Undecodable`, `TooLarge` and `Refused`,
            and anything else counts as a fault of ours.
        content_types: The media types that it takes.
        label: What the metrics call it, as their ``signal``.
    """

    handler: Handler
    content_types: tuple[str, ...]
    label: str
