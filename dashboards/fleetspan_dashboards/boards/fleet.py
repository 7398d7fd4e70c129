"""The fleet: is anything wrong, and where."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import (
    AGENTS,
    CALLS,
    NARROWED,
    RUNS,
    SCOPE,
    TO_RUN,
    TOOL_CALLS,
    UNPRICED,
    within,
)

_BAD: Final = (("green", None), ("orange", 0.05), ("red", 0.15))

FLEET: Final = Board(
    name="fleet",
    title="Fleetspan / Fleet",
    description="All agents: what needs attention, what it costs, what fails.",
    choices=NARROWED,
    panels=(
        stat(
            title="Agents at work",
            description="Agents that have begun and not ended, now; one that has been silent for "
            "longer than idle_timeout_s counts as abandoned.",
            sql="SELECT count() AS agents FROM agents WHERE Status = 'running'"
            f" AND Bucket >= now() - INTERVAL 7 DAY AND {SCOPE}",
        ),
        stat(
            title="Runs",
            description="Runs that began in this time.",
            sql=f"SELECT count() AS runs {RUNS}",
        ),
        stat(
            title="Failed runs",
            description="Share of runs that ended in an error or were abandoned.",
            sql="SELECT countIf(Status IN ('error', 'abandoned')) / greatest(count(), 1) AS failed "
            + RUNS,
            unit="percentunit",
            thresholds=_BAD,
        ),
        stat(
            title="Spend",
            description="Cost of all model calls that have a price.",
            sql=f"SELECT sum(CostUsd) AS spend {CALLS}",
            unit="currencyUSD",
        ),
        stat(
            title="Unpriced calls",
            description="Share of model calls whose price is not known: the spend is higher than "
            "shown. Give their models a price in the price file.",
            sql=f"SELECT {UNPRICED} / greatest(count(), 1) AS unpriced {CALLS}",
            unit="percentunit",
            thresholds=_BAD,
        ),
        stat(
            title="Could be saved",
            description="What the findings of these runs would save together: no dollar twice.",
            sql=f"SELECT sum(SavedUsd) AS saved FROM run_analyses WHERE {within('StartTime')}"
            f" AND {SCOPE}",
            unit="currencyUSD",
        ),
        Panel(
            title="Needs attention",
            description="Findings from medium severity on, the worst first, then the newest.",
            kind=Kind.TABLE,
            sql="SELECT At AS time, toString(Severity) AS severity, toString(Detector) AS finding,"
            " What AS what, Advice AS advice, Usd AS usd, Seconds AS seconds, RunId AS run"
            f" FROM findings WHERE {within('At')} AND Severity >= 'medium'"
            " ORDER BY findings.Severity DESC, time DESC LIMIT 50",
            units={"usd": "currencyUSD", "seconds": "s"},
            links={"run": TO_RUN},
            width=24,
            height=9,
            may_be_empty="a fleet in which nothing stands out",
        ),
        Panel(
            title="Agents over time",
            description="When agents were at work, and which failed or were abandoned; the latest "
            "thirty names.",
            kind=Kind.STATE_TIMELINE,
            # Agents of one name may be at work side by side: the last one's end counts.
            sql="WITH named AS (SELECT Name, StartTime, toString(Status) AS ending,"
            " ifNull(EndTime, LastActivity) AS ended, Status IN ('error', 'abandoned') AS bad"
            f" {AGENTS} AND Name != '' ORDER BY StartTime DESC LIMIT 300)"
            " SELECT time, agent, multiIf(level > 0, 'at work', note = '', NULL, note) AS state"
            " FROM (SELECT at AS time, Name AS agent, note, sum(change) OVER (PARTITION BY Name"
            " ORDER BY at, change DESC ROWS UNBOUNDED PRECEDING) AS level FROM ("
            " SELECT StartTime AS at, Name, 1 AS change, '' AS note FROM named"
            " UNION ALL SELECT ended, Name, -1, if(bad, ending, '') FROM named"
            " WHERE ending != 'running'"
            " UNION ALL SELECT ended + INTERVAL $__interval_s SECOND, Name, 0, '' FROM named"
            " WHERE bad)) WHERE agent IN"
            " (SELECT Name FROM named GROUP BY Name ORDER BY max(StartTime) DESC LIMIT 30)"
            " ORDER BY time",
            width=24,
            height=10,
        ),
        Panel(
            title="Cost by project",
            description="Dollars in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Project) AS project,"
            f" sum(CostUsd) AS cost {CALLS} GROUP BY time, project ORDER BY time",
            unit="currencyUSD",
            stacked=True,
        ),
        Panel(
            title="Runs by how they ended",
            description="Runs that began in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Status) AS status,"
            f" count() AS runs {RUNS} GROUP BY time, status ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Agents side by side",
            description="Saturation: how many agents were at work at the same time, at most, in "
            "each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(at) AS time, 'agents' AS label, max(level) AS agents"
            " FROM (SELECT at, sum(change) OVER (ORDER BY at ROWS UNBOUNDED PRECEDING) AS level"
            " FROM (SELECT StartTime AS at, 1 AS change FROM agents"
            f" WHERE {within('StartTime')} AND {SCOPE}"
            " UNION ALL SELECT assumeNotNull(EndTime), -1 FROM agents"
            f" WHERE {within('StartTime')} AND {SCOPE} AND EndTime IS NOT NULL))"
            " GROUP BY time ORDER BY time",
        ),
        Panel(
            title="Failures",
            description="Share of model calls and of tool calls that failed, in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT time, label, failed FROM ("
            "SELECT $__timeInterval(StartTime) AS time, 'model calls' AS label,"
            f" countIf(Error != '') / count() AS failed {CALLS} GROUP BY time"
            " UNION ALL SELECT $__timeInterval(StartTime) AS time, 'tool calls' AS label,"
            f" countIf(Error != '') / count() {TOOL_CALLS} GROUP BY time) ORDER BY time",
            unit="percentunit",
        ),
        Panel(
            title="Latest runs",
            description="Runs of this time, the newest first.",
            kind=Kind.TABLE,
            sql="SELECT StartTime AS time, Name AS name, toString(Status) AS status, Agents AS agents,"
            " LlmCalls AS calls, InputTokens + CacheReadTokens + CacheWriteTokens + OutputTokens"
            " AS tokens, CostUsd AS cost, Errors AS errors,"
            " dateDiff('millisecond', StartTime, LastActivity) / 1000 AS took, RunId AS run"
            f" {RUNS} ORDER BY time DESC LIMIT 100",
            units={"cost": "currencyUSD", "took": "s", "tokens": "short"},
            links={"run": TO_RUN},
            width=24,
            height=10,
        ),
    ),
)
