"""Where the time of a run went, and what a change would make of it.

::

    timeline_of ── who was at work when, repaired where the telemetry cannot be right
      └ graph_of ── what began after what, and who waited for whom
          ├ path_of ── every second of the run's wall time, exactly once
          ├ ledgers_of ── the same for the own time of each agent
          ├ slack_of ── by how much a thing may end later without the run ending later
          └ what_if ── wall time and cost after changes
"""

from fleetspan_collector.processors.critical_path._category import Category
from fleetspan_collector.processors.critical_path._changes import (
    Change,
    Cheaper,
    Lasts,
    Parallel,
    Removed,
    WithoutWait,
)
from fleetspan_collector.processors.critical_path._graph import graph_of
from fleetspan_collector.processors.critical_path._joins import joins_of
from fleetspan_collector.processors.critical_path._ledgers import (
    AgentLedgers,
    busy_seconds,
    ledgers_of,
)
from fleetspan_collector.processors.critical_path._order import Graph
from fleetspan_collector.processors.critical_path._path import CriticalPath, path_of
from fleetspan_collector.processors.critical_path._slack import Slack, slack_of
from fleetspan_collector.processors.critical_path._timeline import (
    Repair,
    Timeline,
    timeline_of,
)
from fleetspan_collector.processors.critical_path._waiting import Role
from fleetspan_collector.processors.critical_path._what_if import WhatIf, what_if

__all__ = [
    "AgentLedgers",
    "Category",
    "Change",
    "Cheaper",
    "CriticalPath",
    "Graph",
    "Lasts",
    "Parallel",
    "Removed",
    "Repair",
    "Role",
    "Slack",
    "Timeline",
    "WhatIf",
    "WithoutWait",
    "busy_seconds",
    "graph_of",
    "joins_of",
    "ledgers_of",
    "path_of",
    "slack_of",
    "timeline_of",
    "what_if",
]
