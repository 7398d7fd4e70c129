"""Time as the agents of the demo live it: hours of work in milliseconds.

Each line of work (a run, a sub-agent in a thread or task) has a timeline of its own, so
that what runs side by side overlaps, whatever order the threads really run in. The SDK
reads it through the ``clock`` of `fleetspan.configure`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final


class Timeline:
    """The time of one line of work.

    Args:
        now_ns: Where it begins, in nanoseconds since 1970.

    Attributes:
        now_ns: How far it has come.
    """

    __slots__ = ("now_ns",)

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += max(1, int(seconds * 1e9))

    def wait_for(self, moment_ns: int) -> None:
        """Go to a moment; stay, when it is past."""
        self.now_ns = max(self.now_ns, moment_ns)


_current: Final[ContextVar[Timeline | None]] = ContextVar("timeline", default=None)


def clock() -> int:
    """Return the time on the current line; elsewhere the real time."""
    line = _current.get()
    return time.time_ns() if line is None else line.now_ns


@contextmanager
def living(line: Timeline) -> Iterator[Timeline]:
    """Live on a timeline within the block."""
    token = _current.set(line)
    try:
        yield line
    finally:
        _current.reset(token)


def current() -> Timeline:
    """Return the timeline that is lived on here.

    Raises:
        LookupError: When there is none.
    """
    line = _current.get()
    if line is None:
        raise LookupError("this is not on a timeline")
    return line
