"""The fleet: is anything wrong, and where."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import SCOPE, Board, Kind, Panel, stat, within

_RUNS: Final = f"FROM runs WHERE {within('StartTime')} AND {SCOPE}"
_CALLS: Final = f"FROM llm_calls WHERE {within('StartTime')} AND {SCOPE}"
_BAD: Final = (("green", None), ("orange", 0.05), ("red", 0.15))

FLEET: Final = Board(
    name="fleet",
    title="Fleetspan / Fleet",
    description="All agents: what needs attention, what it costs, what fails.",
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
            sql=f"SELECT count() AS runs {_RUNS}",
        ),
        stat(
            title="Failed runs",
            description="Share of runs that ended in an error or were abandoned.",
            sql="SELECT countIf(Status IN ('error', 'abandoned')) / greatest(count(), 1) AS failed "
            + _RUNS,
            unit="percentunit",
            thresholds=_BAD,
        ),
        stat(
            title="Spend",
            description="Cost of all model calls that have a price.",
            sql=f"SELECT sum(CostUsd) AS spend {_CALLS}",
            unit="currencyUSD",
        ),
        stat(
            title="Unpriced calls",
            description="Share of model calls whose price is not known: the spend is higher than "
            "shown. Give their models a price in the price file.",
            sql="SELECT countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL))"
            f" / greatest(count(), 1) AS unpriced {_CALLS}",
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
            links={"run": "/d/fleetspan-run?var-run=${__value.raw}"},
            width=24,
            height=9,
            may_be_empty="a fleet in which nothing stands out",
        ),
        Panel(
            title="Agents over time",
            description="When agents were at work and how each ended; the latest thirty names.",
            kind=Kind.STATE_TIMELINE,
            sql="WITH named AS (SELECT Name, StartTime, EndTime, Status FROM agents"
            f" WHERE {within('StartTime')} AND {SCOPE} AND Name != ''"
            " ORDER BY StartTime DESC LIMIT 300)"
            " SELECT time, agent, state FROM ("
            " SELECT StartTime AS time, Name AS agent, 'at work' AS state FROM named"
            " UNION ALL SELECT assumeNotNull(EndTime), Name, toString(Status) FROM named"
            " WHERE EndTime IS NOT NULL) WHERE agent IN"
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
            f" sum(CostUsd) AS cost {_CALLS} GROUP BY time, project ORDER BY time",
            unit="currencyUSD",
            stacked=True,
        ),
        Panel(
            title="Runs by how they ended",
            description="Runs that began in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Status) AS status,"
            f" count() AS runs {_RUNS} GROUP BY time, status ORDER BY time",
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
            f" countIf(Error != '') / count() AS failed {_CALLS} GROUP BY time"
            " UNION ALL SELECT $__timeInterval(StartTime) AS time, 'tool calls' AS label,"
            f" countIf(Error != '') / count() FROM tool_calls WHERE {within('StartTime')}"
            f" AND {SCOPE} GROUP BY time) ORDER BY time",
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
            f" {_RUNS} ORDER BY time DESC LIMIT 100",
            units={"cost": "currencyUSD", "took": "s", "tokens": "short"},
            links={"run": "/d/fleetspan-run?var-run=${__value.raw}"},
            width=24,
            height=10,
        ),
    ),
)
