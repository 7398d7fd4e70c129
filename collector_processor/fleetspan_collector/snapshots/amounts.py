"""Amounts and times of calls, as snapshots count them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector._columns import Columns
from fleetspan_collector.processors.run import UNKNOWN_NS, Indexes, Run

Floats = NDArray[np.float64]


def new_tokens(calls: Columns) -> Floats:
    """Tokens of each call that were not read from a cache."""
    return summed(calls, ("InputTokens", "CacheWriteTokens", "OutputTokens"))


def summed(rows: Columns, names: Sequence[str]) -> Floats:
    """The sum of some columns of each row; unknown counts as nothing."""
    total = np.zeros(rows.count)
    for name in names:
        total += np.nan_to_num(rows.floats(name))
    return total


def failures_ns(run: Run) -> Indexes:
    """When each failed call and tool call ended, ascending, Unix nanoseconds."""
    calls, tools = run.llm_calls, run.tool_calls
    times = []
    if calls.count:
        failed = calls.strings("Error") != ""
        if np.any(failed):
            times.append(end_ns(calls)[failed])
    if tools.count:
        failed = (tools.floats("Success") == 0) | (tools.strings("Error") != "")
        if np.any(failed):
            ended = end_ns(tools)[failed]
            starts = tools.nanoseconds("StartTime")[failed]
            times.append(np.where(ended == UNKNOWN_NS, starts, ended))
    known = np.concatenate(times) if times else np.empty(0, dtype=np.int64)
    return np.sort(known[known != UNKNOWN_NS])


def end_ns(rows: Columns) -> Indexes:
    """When calls ended, Unix nanoseconds; `UNKNOWN_NS` for what nobody saw end."""
    starts, took_ms = rows.nanoseconds("StartTime"), rows.floats("DurationMs")
    known = np.isfinite(took_ms) & (starts != UNKNOWN_NS)
    # A duration of centuries would leave the range of times.
    took_ns = np.clip(np.where(known, took_ms, 0), 0, 1e12) * 1e6
    return np.where(known, starts + took_ns.astype(np.int64), UNKNOWN_NS)
