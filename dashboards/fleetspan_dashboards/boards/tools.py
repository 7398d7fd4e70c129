"""Tools: how often they are used, how long they take, how they fail."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import NARROWED, TOOL_CALLS

TOOLS: Final = Board(
    name="tools",
    title="Fleetspan / Tools",
    description="Which tools agents use, and which hold them up.",
    choices=NARROWED,
    panels=(
        stat(
            title="Tool calls",
            description="Calls that began in this time.",
            sql=f"SELECT count() AS calls {TOOL_CALLS}",
            width=6,
        ),
        stat(
            title="Failed",
            description="Share of calls that failed.",
            sql=f"SELECT countIf(Error != '') / greatest(count(), 1) AS failed {TOOL_CALLS}",
            unit="percentunit",
            width=6,
        ),
        stat(
            title="Time in tools",
            description="Seconds of all calls together, whatever ran side by side.",
            sql=f"SELECT sum(DurationMs) / 1000 AS seconds {TOOL_CALLS}",
            unit="s",
            width=6,
        ),
        stat(
            title="Waited for permission",
            description="Seconds in which calls waited for somebody to allow them.",
            sql=f"SELECT sum(PermissionWaitMs) / 1000 AS seconds {TOOL_CALLS}",
            unit="s",
            width=6,
        ),
        Panel(
            title="Calls by tool",
            description="Calls in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Tool) AS tool,"
            f" count() AS calls {TOOL_CALLS} GROUP BY time, tool ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Failures by tool",
            description="Share of calls that failed, in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Tool) AS tool,"
            f" countIf(Error != '') / count() AS failed {TOOL_CALLS} GROUP BY time, tool ORDER BY time",
            unit="percentunit",
        ),
        Panel(
            title="Time by tool, p95",
            description="Seconds of a call.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Tool) AS tool,"
            f" quantile(0.95)(DurationMs) / 1000 AS p95 {TOOL_CALLS} AND DurationMs IS NOT NULL"
            " GROUP BY time, tool ORDER BY time",
            unit="s",
        ),
        Panel(
            title="Size of results, p95",
            description="Bytes that a call gives back to the model: what they cost is paid again in "
            "every later call of the conversation.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Tool) AS tool,"
            f" quantile(0.95)(ResultBytes) AS p95 {TOOL_CALLS} AND ResultBytes IS NOT NULL"
            " GROUP BY time, tool ORDER BY time",
            unit="bytes",
        ),
        Panel(
            title="Tools",
            description="All tools of this time, the most used first.",
            kind=Kind.TABLE,
            sql="SELECT toString(Tool) AS tool, count() AS calls, countIf(Error != '') / count()"
            " AS failed, (quantiles(0.5, 0.95)(DurationMs) AS took)[1] / 1000 AS p50,"
            " took[2] / 1000 AS p95, max(DurationMs) / 1000 AS longest, sum(DurationMs) / 1000 AS total,"
            " sum(PermissionWaitMs) / 1000 AS waited, avg(ResultBytes) AS result"
            f" {TOOL_CALLS} GROUP BY tool ORDER BY calls DESC",
            units={
                "failed": "percentunit",
                "p50": "s",
                "p95": "s",
                "longest": "s",
                "total": "s",
                "waited": "s",
                "result": "bytes",
            },
            width=24,
            height=10,
        ),
        Panel(
            title="What failed",
            description="The most frequent errors, by tool.",
            kind=Kind.TABLE,
            sql="SELECT toString(Tool) AS tool, substring(Error, 1, 200) AS error, count() AS calls,"
            f" max(StartTime) AS latest {TOOL_CALLS} AND Error != ''"
            " GROUP BY tool, error ORDER BY calls DESC LIMIT 50",
            width=24,
            height=8,
            may_be_empty="no tool failed",
        ),
    ),
)
