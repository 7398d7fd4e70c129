"""``--since``: how far back."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

from fleetspan_collector._errors import UsageError

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE: Final = re.compile(r"(\d{1,9})([smhdw])")


def parse_since(text: str | None, *, now: datetime | None = None) -> datetime | None:
    """Read an age such as ``90s``, ``2h`` or ``3d``, or an RFC 3339 time.

    Args:
        text: What was given; ``None`` is since ever.
        now: The time that ages count from; the present when not given.

    Raises:
        UsageError: When it is neither.
    """
    if text is None:
        return None
    now = now or datetime.now(UTC)
    if age := _AGE.fullmatch(text.strip().lower()):
        try:
            return now - timedelta(seconds=int(age[1]) * _UNITS_S[age[2]])
        except OverflowError:
            return datetime(1970, 1, 1, tzinfo=UTC)
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            "--since cannot be used",
            because=f"expected an age or an RFC 3339 time, got {text!r}",
            suggestion="--since 2h, --since 3d or --since 2026-01-02T03:04:05Z",
        ) from None
    # A date or a time without a zone is the user's own.
    return time.astimezone(UTC)
