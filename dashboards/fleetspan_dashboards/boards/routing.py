"""Routing: what became of tasks by model, and what was chosen and stopped."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import within

_OUTCOMES: Final = f"FROM outcomes WHERE {within('At')} AND Verifier != 'status'"
_DECISIONS: Final = (
    "FROM otel_logs WHERE ScopeName = 'fleetspan.control' AND $__timeFilter(Timestamp)"
)
_CHOSEN: Final = f"{_DECISIONS} AND EventName = 'fleetspan.routing.decision'"
_DECIDED: Final = f"{_DECISIONS} AND EventName = 'fleetspan.control.decision'"
_CUT: Final = f"{_DECISIONS} AND EventName = 'fleetspan.context.reduction'"
_READ_BACK: Final = (
    "SELECT groupUniqArray(LogAttributes['fleetspan.context.ref'])"
    f" {_DECISIONS} AND EventName = 'fleetspan.context.recall'"
)
_NOT_CUT: Final = "no output is made shorter unless rules say so"
_NOT_CONTROLLED: Final = "nothing is controlled unless rules say so"
_NOT_ROUTED: Final = "no model is chosen unless rules say so"

ROUTING: Final = Board(
    name="routing",
    title="Fleetspan / Routing and control",
    description="How well models do at which tasks and what that costs, which were chosen, and what "
    "agents were not let do.",
    choices=(),
    panels=(
        stat(
            title="Tasks with a verdict",
            description="Agents of whose result a program, a validation or tests said how good it is. That "
            "an agent merely ended is no verdict.",
            sql=f"SELECT count() AS tasks {_OUTCOMES}",
            width=6,
        ),
        stat(
            title="Quality",
            description="Mean of all verdicts, 0 to 1.",
            sql=f"SELECT avg(Quality) AS quality {_OUTCOMES}",
            unit="percentunit",
            width=6,
        ),
        stat(
            title="Cost of a task",
            description="Mean of the tasks with a verdict whose cost is known.",
            sql=f"SELECT avg(CostUsd) AS cost {_OUTCOMES} AND CostUsd IS NOT NULL",
            unit="currencyUSD",
            width=6,
        ),
        stat(
            title="Steps stopped",
            description="Steps of agents that were denied, or held until a person approves.",
            sql=f"SELECT count() AS steps {_DECIDED}"
            " AND LogAttributes['fleetspan.control.answer'] IN ('deny', 'approve')"
            " AND LogAttributes['fleetspan.control.enforced'] = 'true'",
            width=6,
        ),
        Panel(
            title="Quality by model",
            description="Mean of the verdicts in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(At) AS time, toString(Model) AS model, avg(Quality) AS quality"
            f" {_OUTCOMES} GROUP BY time, model ORDER BY time",
            unit="percentunit",
        ),
        Panel(
            title="Cost of a task by model",
            description="Mean in each interval, of tasks whose cost is known.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(At) AS time, toString(Model) AS model, avg(CostUsd) AS cost"
            f" {_OUTCOMES} AND CostUsd IS NOT NULL GROUP BY time, model ORDER BY time",
            unit="currencyUSD",
        ),
        Panel(
            title="Models by role",
            description="What is known of each model at each kind of agent: how often it was tried, how good "
            "its results were, what they cost and how long they took. Few tasks say little: a router "
            "leaves the strongest model only after fifty of each.",
            kind=Kind.TABLE,
            sql="SELECT toString(Workload) AS workload, toString(Role) AS role, toString(Model) AS model,"
            " count() AS tasks, avg(Quality) AS quality, avg(CostUsd) AS cost, avg(Seconds) AS took"
            f" {_OUTCOMES} GROUP BY workload, role, model ORDER BY tasks DESC LIMIT 200",
            units={"quality": "percentunit", "cost": "currencyUSD", "took": "s"},
            width=24,
            height=10,
        ),
        Panel(
            title="Who says so",
            description="Verdicts by whoever gave them.",
            kind=Kind.TABLE,
            sql="SELECT toString(Verifier) AS verifier, count() AS tasks, avg(Quality) AS quality,"
            f" max(At) AS latest {_OUTCOMES} GROUP BY verifier ORDER BY tasks DESC LIMIT 50",
            units={"quality": "percentunit"},
            width=12,
        ),
        Panel(
            title="Models chosen",
            description="Of sub-agents, by what was asked for and what was chosen; applied is 0 in a dry run.",
            kind=Kind.TABLE,
            sql="SELECT LogAttributes['fleetspan.routing.asked'] AS asked,"
            " LogAttributes['fleetspan.routing.model'] AS chosen, count() AS times,"
            f" avg(LogAttributes['fleetspan.routing.applied'] = 'true') AS applied {_CHOSEN}"
            " GROUP BY asked, chosen ORDER BY times DESC LIMIT 50",
            units={"applied": "percentunit"},
            width=12,
            may_be_empty=_NOT_ROUTED,
        ),
        Panel(
            title="What agents were not let do",
            description="Decisions by rule and answer, the latest reason beside them. Each is a finding of its "
            "run, too.",
            kind=Kind.TABLE,
            sql="SELECT LogAttributes['fleetspan.control.by'] AS rule,"
            " LogAttributes['fleetspan.control.answer'] AS answer, count() AS times,"
            " uniqExact(LogAttributes['session.id']) AS sessions, max(Timestamp) AS latest,"
            f" substring(argMax(Body, Timestamp), 1, 200) AS reason {_DECIDED}"
            " GROUP BY rule, answer ORDER BY times DESC LIMIT 100",
            width=24,
            height=8,
            may_be_empty=_NOT_CONTROLLED,
        ),
        Panel(
            title="Outputs made shorter",
            description="Outputs of tools that were too long, by tool: characters as they came and as the "
            "model got them, and of how many the agent has read what was kept back. Where that is many, let "
            "more of that tool's output through. In a dry run applied is 0.",
            kind=Kind.TABLE,
            sql="SELECT LogAttributes['gen_ai.tool.name'] AS tool, count() AS outputs,"
            " sum(toUInt64OrZero(LogAttributes['fleetspan.context.characters'])) AS came,"
            " sum(toUInt64OrZero(LogAttributes['fleetspan.context.kept'])) AS sent,"
            " 1 - sent / came AS kept_back,"
            " avg(hasAny(JSONExtract(LogAttributes['fleetspan.context.refs'], 'Array(String)'),"
            f" ({_READ_BACK}))) AS read_back,"
            f" avg(LogAttributes['fleetspan.context.applied'] = 'true') AS applied {_CUT}"
            " GROUP BY tool ORDER BY came DESC LIMIT 50",
            units={
                "kept_back": "percentunit",
                "read_back": "percentunit",
                "applied": "percentunit",
            },
            width=24,
            height=8,
            may_be_empty=_NOT_CUT,
        ),
    ),
)
