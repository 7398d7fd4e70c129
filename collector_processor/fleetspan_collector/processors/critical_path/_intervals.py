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
    start = np.concatenate(
        [table.nanoseconds("StartTime") for table in (agents, calls, tools)]
    )
    stated = agents.nanoseconds("EndTime")
    took_ms = np.concatenate([calls.floats("DurationMs"), tools.floats("DurationMs")])
    unknown = start == UNKNOWN_NS
    start = np.clip(start, -FARTHEST_NS, FARTHEST_NS)
    end = np.concatenate(
        [
            np.clip(stated, -FARTHEST_NS, FARTHEST_NS),
            start[agents.count :] + milliseconds_as_ns(took_ms),
        ]
    )
    open_end = np.concatenate([stated == UNKNOWN_NS, np.isnan(took_ms)])
    open_end[agents.count :] |= unknown[agents.count :]
    start[unknown], end[open_end] = UNKNOWN_NS, UNKNOWN_NS
    owner = np.full(len(start), NONE)
    owner[agents.count :] = np.concatenate([run.tree.call_agent, run.tree.tool_agent])
    return Intervals(
        agents=agents.count, calls=calls.count, start=start, end=end, owner=owner
    )


def milliseconds_as_ns(values: NDArray[np.float64]) -> Indexes:
    """Return durations in ms as nanoseconds; 0 for unknown."""
    clipped = np.clip(values * 1e6, -_LONGEST_NS, _LONGEST_NS)
    clipped[np.isnan(clipped)] = 0.0
    return np.rint(clipped).astype(np.int64)
