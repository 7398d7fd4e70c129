"""Agents with everybody below them."""

from __future__ import annotations

import numpy as np

from fleetspan_collector.derive import tree as forest
from fleetspan_collector.processors.run import NONE, Indexes, Run


def with_descendants(run: Run, agents: Indexes) -> Indexes:
    """Rows of agents and of everybody below them, in order."""
    chosen = np.zeros(run.agents.count, dtype=bool)
    chosen[agents] = True
    return np.flatnonzero(chosen | (forest.nearest(run.tree.parent, chosen) != NONE))
