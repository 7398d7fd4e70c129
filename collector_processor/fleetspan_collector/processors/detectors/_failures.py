"""Failed model calls: why, and which call of their agent came next."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.derive.rules import RATE_LIMITED
from fleetspan_collector.processors.critical_path import (
    Change,
    Lasts,
    Removed,
    timeline_of,
)
from fleetspan_collector.processors.run import NONE, Indexes, Run, per_run

_RATE_LIMITED = re.compile(RATE_LIMITED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Failures:
    """Model calls that failed, and what their agents did next.

    Attributes:
        order: All calls, by agent, then start.
        failed: For each call whether it has an error.
        after: For each call the next one of its agent; -1 for none.
        lag_s: Seconds from its end to the start of that one.
    """

    order: Indexes
    failed: NDArray[np.bool_]
    after: Indexes
    lag_s: NDArray[np.float64]


@per_run
def failures_of(run: Run) -> Failures:
    """Return which calls failed, and what came after each call."""
    timeline, calls, owner = timeline_of(run), run.llm_calls, run.tree.call_agent
    order = np.lexsort((np.arange(calls.count), timeline.call_start, owner))
    here, following = order[:-1], order[1:]
    same = owner[here] == owner[following]
    after = np.full(calls.count, NONE)
    after[here[same]] = following[same]
    lag_s = np.full(calls.count, np.inf)
    lag_s[here[same]] = (
        timeline.call_start[following[same]] - timeline.call_end[here[same]]
    ) / 1e9
    return Failures(order=order, failed=failed_calls(run), after=after, lag_s=lag_s)


@per_run
def failed_calls(run: Run) -> NDArray[np.bool_]:
    """For each model call whether it failed."""
    failed: NDArray[np.bool_] = run.llm_calls.strings("Error") != ""
    return failed


def is_rate_limit(error: str) -> bool:
    """Whether an error (a status code, a class, a message) is a provider's "later"."""
    return _RATE_LIMITED.search(error) is not None


def without_calls(run: Run, calls: list[int]) -> tuple[Change, ...]:
    """The changes that leave out failed calls, and the time between them.

    What came before the first of several in a row is not of their making: it stays.
    """
    after = failures_of(run).after
    following = {int(after[call]) for call in calls}
    first = [call for call in calls if call not in following]
    later = tuple(call for call in calls if call in following)
    return (Removed(calls=later), *(Lasts(0.0, call=call) for call in first))
