"""``--against``: which earlier phase a review is held against."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from fleetspan_collector._errors import UsageError
from fleetspan_collector.cli._since import parse_since, parse_until
from fleetspan_collector.insights.phase import Span


def earlier_span(text: str | None, span: Span) -> Span | None:
    """Read the earlier phase.

    Args:
        text: ``A..B`` for a time from A until before B, an age such as ``7d`` for that
            long before the phase, ``none`` for no comparison; None: as long before the
            phase as it lasts itself.
        span: The phase. The earlier one is of the same project and environment, and of
            all sessions.

    Raises:
        UsageError: When it is none of these, or empty.
    """
    if text is not None and text.strip().lower() == "none":
        return None
    bounds = _bounds(text, span)
    if bounds[0] >= bounds[1]:
        raise UsageError(
            f"--against {text!r} cannot be used",
            because="its beginning is not before its end",
            suggestion="--against 2026-01-01..2026-01-07, or --against 7d",
        )
    return replace(span, since_ns=bounds[0], until_ns=bounds[1], sessions=())


def _bounds(text: str | None, span: Span) -> tuple[int, int]:
    if text is None:
        return max(0, 2 * span.since_ns - span.until_ns), span.since_ns
    first, dots, last = text.partition("..")
    if not dots:
        end = datetime.fromtimestamp(span.since_ns / 1e9).astimezone()
        begin = parse_since(first, now=end, option="--against")
        return nanoseconds(begin or end), span.since_ns
    begin = parse_since(first, option="--against")
    until = parse_until(last) if last.strip() else None
    return (
        nanoseconds(begin) if begin else 0,
        nanoseconds(until) if until else span.since_ns,
    )


def nanoseconds(moment: datetime) -> int:
    """Return a time as Unix nanoseconds, to the microsecond; never before 1970."""
    return max(0, int(moment.timestamp() * 1_000_000) * 1000)
