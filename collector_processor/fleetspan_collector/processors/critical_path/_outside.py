"""Times that cannot belong to the run: a clock in 1970, a date in 2100.

Times fall into clusters, with more than a day between two of them; the one that holds
most is the run. Another is set aside when no clock could have meant it (before 2000, or
more than a day after the present), when it is more than a year away, or more than a month
away and less than a quarter as large. What is nearer stays: a session that is picked up
again days later is one run.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleetspan_collector.processors.critical_path._intervals import Intervals, Mask
from fleetspan_collector.processors.run import UNKNOWN_NS, Indexes

_DAY_NS: Final = 86_400 * 10**9
_MONTH_NS: Final = 31 * _DAY_NS
_YEAR_NS: Final = 366 * _DAY_NS
_SMALL_SHARE: Final = 0.25
_EARLIEST_NS: Final = 946_684_800 * 10**9
"""The year 2000: before OpenTelemetry, and after what a clock without battery says."""


def set_aside(times: Intervals, now_ns: int) -> Mask:
    """Forget the times that cannot belong to the run.

    Args:
        times: Changed in place: such times become unknown.
        now_ns: The present, Unix nanoseconds; 0 when it is not known.

    Returns:
        Which things had such a time.
    """
    both = np.concatenate([times.start, times.end])
    known = np.sort(both[both != UNKNOWN_NS])
    # A call or a tool call of unknown start has a time that cannot be used either.
    outside: Mask = times.start == UNKNOWN_NS
    if not len(known):
        return outside
    if known[-1] - known[0] <= _DAY_NS and known[0] >= _EARLIEST_NS:
        return outside
    first, last = _clusters(known)
    kept = _kept(known, first, last, now_ns)
    low, high = known[first[kept]], known[last[kept]]
    for column in (times.start, times.end):
        place = np.searchsorted(low, column, side="right") - 1
        inside = (place >= 0) & (column <= high[place])
        bad = ~inside & (column != UNKNOWN_NS)
        column[bad] = UNKNOWN_NS
        outside |= bad
    return outside


def _clusters(known: Indexes) -> tuple[Indexes, Indexes]:
    """Return the places of the first and the last time of each cluster."""
    cuts = np.flatnonzero(np.diff(known) > _DAY_NS)
    first = np.concatenate([[0], cuts + 1])
    last = np.concatenate([cuts, [len(known) - 1]])
    return first, last


def _kept(known: Indexes, first: Indexes, last: Indexes, now_ns: int) -> Mask:
    size = last - first + 1
    possible = known[first] >= _EARLIEST_NS
    if now_ns > 0:
        possible &= known[last] <= now_ns + _DAY_NS
    # Where all clocks are wrong, they agree at least with each other.
    weight = np.where(possible, size, 0) if possible.any() else size
    most = int(len(weight) - 1 - np.argmax(weight[::-1]))
    away = np.maximum(
        known[first] - known[last[most]], known[first[most]] - known[last]
    )
    small = size < _SMALL_SHARE * size[most]
    stray = (away > _YEAR_NS) | ((away > _MONTH_NS) & small)
    keep: Mask = possible & ~stray
    keep[most] = True
    return keep
