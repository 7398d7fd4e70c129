"""Times that cannot be meant: one span of 1970 would put its whole run past its retention.

Every row keeps the time that it tells; but when its run began, when anything was last
seen of it, and the hour under which it is stored follow those times alone that can
belong together: no more than a year from the middle one, of those since 2000 if any is.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from fleetspan_collector._columns import Columns
from fleetspan_collector.derive.ownership import Indexes

_EARLIEST_NS: Final = 946_684_800 * 10**9
"""The year 2000: after what a clock says that was never set."""

_FAR_NS: Final = 366 * 86_400 * 10**9


def believable_times(
    columns: Columns, run_code: Indexes, run_count: int
) -> tuple[Indexes, Indexes]:
    """Return when each row began and was last seen, as far as that can be.

    Args:
        columns: Evidence.
        run_code: For each row the number of its run.
        run_count: How many runs there are.

    Returns:
        Unix nanoseconds; the middle start of the run for a start that cannot be, the
        start for a last sign that cannot be.
    """
    start = columns.nanoseconds("StartTime")
    last = columns.nanoseconds("LastActivity")
    if not len(start):
        return start, last
    both = (start.min(), last.min(), start.max(), last.max())
    if min(both) >= _EARLIEST_NS and max(both) - min(both) <= _FAR_NS:
        return start, last
    middle = _middles(start, run_code, run_count)[run_code]
    low, high = middle - _FAR_NS, middle + _FAR_NS
    start = np.where((start >= low) & (start <= high), start, middle)
    last = np.where((last >= low) & (last <= high), last, start)
    return start, last


def _middles(start: Indexes, run_code: Indexes, run_count: int) -> Indexes:
    """For each run the middle one of its starts; of two the earlier."""
    possible = start >= _EARLIEST_NS
    any_possible = np.bincount(run_code[possible], minlength=run_count) > 0
    rows = np.flatnonzero(possible | ~any_possible[run_code])
    order = rows[np.lexsort((start[rows], run_code[rows]))]
    counts = np.bincount(run_code[rows], minlength=run_count)
    place = np.cumsum(counts) - counts + np.maximum(counts - 1, 0) // 2
    found = start[order[np.minimum(place, len(order) - 1)]]
    # So that adding a year to it stays in 64 bits.
    most = 2**63 - 1 - 2 * _FAR_NS
    middles: Indexes = np.clip(found, -most, most)
    return middles
