"""``--since``: how far back; ``--until``: up to when."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from fleetspan_collector._errors import UsageError

_UNITS_S: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_AGE: Final = re.compile(r"(\d{1,9})([smhdw])")


def parse_since(
    text: str | None,
    *,
    now: datetime | None = None,
    zone: tzinfo | None = None,
    option: str = "--since",
) -> datetime | None:
    """Read an age such as ``90s``, ``2h`` or ``3d``, or an RFC 3339 time.

    Args:
        text: What was given; ``None`` is since ever.
        now: The time that ages count from; the present when not given.
        zone: The zone of a date or a time that names none; the user's own when None.
        option: What it was given for.

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
            f"{option} cannot be used",
            because=f"expected an age or an RFC 3339 time, got {text!r}",
            suggestion=f"{option} 2h, {option} 3d or {option} 2026-01-02T03:04:05Z",
        ) from None
    return _in_utc(time, zone)


def parse_until(text: str | None, *, zone: tzinfo | None = None) -> datetime | None:
    """Read the end of a time, which is no part of it; a date alone belongs to it whole.

    Raises:
        UsageError: When it is neither an age nor an RFC 3339 time.
    """
    try:
        day = date.fromisoformat((text or "").strip())
    except ValueError:
        return parse_since(text, zone=zone, option="--until")
    morrow = day + timedelta(days=1)
    return _in_utc(datetime(morrow.year, morrow.month, morrow.day), zone)


def _in_utc(time: datetime, zone: tzinfo | None) -> datetime:
    """A date or a time without a zone is of the given one, or of the user's own."""
    if time.tzinfo is None and zone is not None:
        time = time.replace(tzinfo=zone)
    return time.astimezone(UTC)
