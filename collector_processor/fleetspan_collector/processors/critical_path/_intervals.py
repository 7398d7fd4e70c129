"""Agents, calls and tool calls of a run under one numbering, with when each began and ended.

A *thing* is an agent, a call or a tool call: agents come first, then calls, then tool
calls, each in the order of its table.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fleetspan_collector.processors.run import NONE, UNKNOWN_NS, Indexes, Run

Mask = NDArray[np.bool_]

FARTHEST_NS: Final = 5 * 10**18
"""No time is taken for later (2128) or, negated, earlier: sums of two stay in 64 bits."""

_LONGEST_NS: Final = 4 * 10**18


@dataclass(slots=True, kw_only=True)
class Intervals:
    """When things began and ended, while it is being repaired.

    Attributes:
        agents: How many agents there are.
        calls: How many calls.
        start: Unix nanoseconds by thing; `UNKNOWN_NS` when not known.
        end: The same.
        owner: For calls and tool calls their agent, -1 for none; -1 for agents.
    """

    agents: int
    calls: int
    start: Indexes
    end: Indexes
    owner: Indexes

    @property
    def first_tool(self) -> int:
        """The first thing that is a tool call."""
        return self.agents + self.calls


def read_intervals(run: Run) -> Intervals:
    """Return the times as the tables tell them."""
    agents, calls, tools = run.agents, run.llm_calls, run.tool_calls
    tree = run.tree
    call_start = _bounded(calls.nanoseconds("StartTime"))
    tool_start = _bounded(tools.nanoseconds("StartTime"))
    return Intervals(
        agents=agents.count,
        calls=calls.count,
        start=np.concatenate(
            [_bounded(agents.nanoseconds("StartTime")), call_start, tool_start]
        ),
        end=np.concatenate(
            [
                _bounded(agents.nanoseconds("EndTime")),
                _ends(call_start, calls.floats("DurationMs")),
                _ends(tool_start, tools.floats("DurationMs")),
            ]
        ),
        owner=np.concatenate(
            [np.full(agents.count, NONE), tree.call_agent, tree.tool_agent]
        ),
    )


def milliseconds_as_ns(values: NDArray[np.float64]) -> Indexes:
    """Return durations in ms as nanoseconds; 0 for unknown."""
    known = np.nan_to_num(values * 1e6, nan=0.0)
    return np.rint(np.clip(known, -_LONGEST_NS, _LONGEST_NS)).astype(np.int64)


def _bounded(times: Indexes) -> Indexes:
    within = np.clip(times, -FARTHEST_NS, FARTHEST_NS)
    return np.where(times == UNKNOWN_NS, UNKNOWN_NS, within)


def _ends(start: Indexes, duration_ms: NDArray[np.float64]) -> Indexes:
    known = (start != UNKNOWN_NS) & ~np.isnan(duration_ms)
    return np.where(known, start + milliseconds_as_ns(duration_ms), UNKNOWN_NS)
