"""Where the next part of a list begins: the last row's place in the order."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence

import orjson

from fleetspan_collector._errors import UsageError


def write_cursor(kind: str, *place: str | float) -> str:
    """Return a cursor.

    Args:
        kind: Of which list, and in which order.
        place: What the order compares.
    """
    text = orjson.dumps([kind, *place])
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def read_cursor(
    text: str | None, kind: str, types: Sequence[type]
) -> tuple[str | int | float, ...] | None:
    """Return the place that a cursor names; ``None`` for the beginning.

    Args:
        text: What the client sent.
        kind: Of which list, and in which order.
        types: What the order compares.

    Raises:
        UsageError: When it is not a cursor of this list.
    """
    if not text:
        return None
    try:
        padded = text + "=" * (-len(text) % 4)
        named, *place = orjson.loads(base64.urlsafe_b64decode(padded.encode("ascii")))
    except (ValueError, TypeError, binascii.Error):
        raise _unusable(text) from None
    fits = len(place) == len(types) and all(
        type(value) is kind_ or (kind_ is float and type(value) is int)
        for value, kind_ in zip(place, types, strict=False)
    )
    within = all(not isinstance(v, int) or -(2**63) <= v < 2**63 for v in place)
    if named != kind or not fits or not within:
        raise _unusable(text)
    return tuple(place)


def _unusable(text: str) -> UsageError:
    return UsageError(
        f"cursor={text[:80]!r} cannot be used",
        because="it is not the next_cursor of a list in this order",
        suggestion="leave it out, to begin at the beginning",
    )
