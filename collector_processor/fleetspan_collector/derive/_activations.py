"""How an agent stands that reported several times: as its latest report says."""

from __future__ import annotations

import numpy as np

from fleetspan_collector._columns import Columns
from fleetspan_collector.derive.ownership import Indexes, Ownership

_UNKNOWN_NS = np.iinfo(np.int64).min


def latest_reports(columns: Columns, owners: Ownership) -> tuple[Indexes, Indexes]:
    """Return the latest report of each agent, and when the agent ended.

    Args:
        columns: Evidence.
        owners: Who owns what.

    Returns:
        For each of ``owners.agents`` the row of the report that began last, and Unix
        nanoseconds: the last end of all its reports, the least number when that report
        has none.
    """
    reports = np.flatnonzero(columns.strings("Kind") == "agent")
    of_agent = owners.agent_of[reports]
    latest = np.arange(columns.count)
    # Latest last, so that it stays; rows come sorted by key, so ties have an order too.
    order = np.argsort(columns.nanoseconds("StartTime")[reports], kind="stable")
    latest[of_agent[order]] = reports[order]
    told = columns.nanoseconds("EndTime")
    end = told.copy()
    np.maximum.at(end, of_agent, told[reports])
    rows = latest[owners.agents]
    return rows, np.where(told[rows] == _UNKNOWN_NS, _UNKNOWN_NS, end[owners.agents])
