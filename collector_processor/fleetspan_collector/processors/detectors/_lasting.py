"""An agent that takes another time, whatever it and those below it do meanwhile."""

from __future__ import annotations

import numpy as np

from fleetspan_collector.derive import tree as forest
from fleetspan_collector.processors.critical_path import Change, Lasts, Removed
from fleetspan_collector.processors.run import NONE, Indexes, Run


def agent_lasts(run: Run, agent: int, seconds: float) -> tuple[Change, ...]:
    """The changes that have an agent take so many seconds, with all that is in it.

    What it did is left out, as it would otherwise still end when it ended.
    """
    inside = with_descendants(run, np.array([agent]))
    below = inside[inside != agent]
    calls = np.flatnonzero(np.isin(run.tree.call_agent, inside))
    tools = np.flatnonzero(np.isin(run.tree.tool_agent, inside))
    return (
        Removed(
            agents=tuple(below.tolist()),
            calls=tuple(calls.tolist()),
            tools=tuple(tools.tolist()),
        ),
        Lasts(seconds, agent=agent),
    )


def with_descendants(run: Run, agents: Indexes) -> Indexes:
    """Rows of agents and of everybody below them, in order."""
    chosen = np.zeros(run.agents.count, dtype=bool)
    chosen[agents] = True
    return np.flatnonzero(chosen | (forest.nearest(run.tree.parent, chosen) != NONE))
