"""Waits that calls and tool calls tell of: for permission, and for another attempt.

Requests that failed in a way that is usually tried again are told by their error. A call
with more than one attempt holds its failed attempts and the waits between them; what they
took can be told where the run has at least `_ENOUGH` calls of the same model that
succeeded at once: the excess over their median time to the first token or, where that is
not known, over their median duration, if it is more than that median again.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.critical_path._intervals import (
    milliseconds_as_ns,
)
from fleetspan_collector.processors.run import Run, per_run

_ENOUGH: Final = 3

_TRIED_AGAIN: Final = re.compile(
    r"rate.?limit|too.?many.?requests|overload|throttl|time.?d?.?out|unavailable"
    r"|resource.?exhausted|server.?error|bad.?gateway|econn|connection"
    r"|\b(408|409|429|500|502|503|504|529)\b",
    re.IGNORECASE,
)


def tried_again(error: str) -> bool:
    """Whether a request that failed so is usually made again."""
    return bool(error) and _TRIED_AGAIN.search(error) is not None


@per_run
def retryable_calls(run: Run) -> frozenset[int]:
    """Rows of calls that failed in a way that is usually tried again."""
    errors = run.llm_calls.strings("Error")
    failed = errors != ""
    if not failed.any():
        return frozenset()
    return frozenset(row for row in _set(failed) if tried_again(errors[row]))


@per_run
def retry_ns(run: Run) -> dict[int, int]:
    """By row of a call: nanoseconds at its beginning that failed attempts took."""
    calls = run.llm_calls
    several = calls.floats("Attempts") > 1
    if not several.any():
        return {}
    plain = ~several & (calls.strings("Error") == "")
    first, whole = calls.floats("TimeToFirstTokenMs"), calls.floats("DurationMs")
    models = calls.strings("Model")
    usual_first = _medians(models, first, plain)
    usual_whole = _medians(models, whole, plain)
    excess = np.zeros(calls.count)
    for row in _set(several):
        model = models[row]
        excess[row] = _excess(first[row], usual_first.get(model)) or _excess(
            whole[row], usual_whole.get(model)
        )
    taken = milliseconds_as_ns(excess)
    return {row: int(taken[row]) for row in _set(taken > 0)}


@per_run
def permission_ns(run: Run) -> dict[int, int]:
    """By row of a tool call: nanoseconds at its beginning that it waited for permission."""
    waits = run.tool_calls.floats("PermissionWaitMs")
    rows = np.flatnonzero(waits > 0)
    if not len(rows):
        return {}
    taken = milliseconds_as_ns(waits[rows])
    return dict(zip(rows.tolist(), taken.tolist(), strict=True))


def _medians(
    models: NDArray[np.object_], values: NDArray[np.float64], plain: NDArray[np.bool_]
) -> dict[str, float]:
    """The median by model, where there are enough."""
    by_model: dict[str, list[float]] = {}
    chosen = plain & ~np.isnan(values)
    for model, value in zip(models[chosen], values[chosen].tolist(), strict=True):
        by_model.setdefault(model, []).append(value)
    return {
        model: float(np.median(known))
        for model, known in by_model.items()
        if len(known) >= _ENOUGH
    }


def _excess(value: float, usual: float | None) -> float:
    """How much more than usual; 0 when that cannot be told."""
    if usual is None or np.isnan(value):
        return 0.0
    return float(value - usual) if value > 2 * usual else 0.0


def _set(mask: NDArray[np.bool_]) -> list[int]:
    rows: list[int] = np.flatnonzero(mask).tolist()
    return rows
