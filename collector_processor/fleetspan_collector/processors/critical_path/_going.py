"""What went on at a moment, among many spans of time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate

from fleetspan_collector.processors.run import NONE


class Going:
    """Answers what went on at a moment.

    Args:
        spans: Start, end and name of things.
    """

    def __init__(self, spans: list[tuple[int, int, int]]) -> None:
        self._spans = sorted(spans)
        self._reach = list(accumulate((end for _, end, _ in self._spans), max))
        self._ends = sorted((end, name) for _, end, name in spans)

    def at(self, moment: int) -> int:
        """The first that began of those that began before a moment and end after it; -1."""
        place = bisect_right(self._reach, moment)
        if place < len(self._spans) and self._spans[place][0] < moment:
            return self._spans[place][2]
        return NONE

    def until(self, moment: int) -> int:
        """The first that began of those that go on to a moment, at least; -1."""
        place = bisect_left(self._reach, moment)
        if place < len(self._spans) and self._spans[place][0] < moment:
            return self._spans[place][2]
        return NONE

    def last_ended(self, moment: int) -> tuple[int, int]:
        """When the last that ended by a moment did so, and its name; -1 for none."""
        place = bisect_right(self._ends, (moment, 1 << 62)) - 1
        return self._ends[place] if place >= 0 else (moment, NONE)
