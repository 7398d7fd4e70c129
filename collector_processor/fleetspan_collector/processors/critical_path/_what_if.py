"""When a run would have ended, and what it would have cost, had things been otherwise."""

from __future__ import annotations

from dataclasses import dataclass

from fleetspan_collector.processors.critical_path._changes import Change
from fleetspan_collector.processors.critical_path._costs import costs_after
from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._limits import limits_of
from fleetspan_collector.processors.critical_path._plan import plan_of
from fleetspan_collector.processors.critical_path._schedule import Schedule
from fleetspan_collector.processors.run import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """A run with changes.

    Attributes:
        wall_s: From the first start to the last end, seconds.
        usd: What it would have cost; None when that is not known.
        saved_s: Seconds less than it took; negative when it would take longer.
        saved_usd: US dollars less than it cost; None when that is not known.
    """

    wall_s: float
    usd: float | None
    saved_s: float
    saved_usd: float | None


def what_if(run: Run, *changes: Change) -> WhatIf:
    """Return a run with changes: what depends on what stays, with the waits between.

    Args:
        run: The run.
        changes: What is otherwise; where two speak of one thing, the later counts.
    """
    graph = graph_of(run)
    plan = plan_of(run, graph, changes)
    wall_ns = graph.wall_ns
    if plan.in_time:
        wall_ns = Schedule(graph, limits_of(run), plan).wall_ns()
    usd, saved_usd = costs_after(run, plan)
    return WhatIf(
        wall_s=wall_ns / 1e9,
        usd=usd,
        saved_s=(graph.wall_ns - wall_ns) / 1e9,
        saved_usd=saved_usd,
    )
