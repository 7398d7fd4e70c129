"""Sessions: runs that belong together, and what each took."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import NARROWED, RUNS, TOKENS

_RUNS: Final = f"{RUNS} AND SessionId != ''"

SESSIONS: Final = Board(
    name="sessions",
    title="Fleetspan / Sessions",
    description="Who worked on what, how long, and for how much.",
    choices=NARROWED,
    panels=(
        stat(
            title="Sessions",
            description="Sessions with a run that began in this time.",
            sql=f"SELECT uniqExact(Tenant, SessionId) AS sessions {_RUNS}",
            width=6,
        ),
        stat(
            title="Cost of a session, median",
            description="Half of the sessions cost less.",
            sql=f"SELECT median(cost) AS cost FROM (SELECT sum(CostUsd) AS cost {_RUNS}"
            " GROUP BY Tenant, SessionId)",
            unit="currencyUSD",
            width=6,
        ),
        stat(
            title="Cost of a session, p95",
            description="One in twenty costs more.",
            sql=f"SELECT quantile(0.95)(cost) AS cost FROM (SELECT sum(CostUsd) AS cost {_RUNS}"
            " GROUP BY Tenant, SessionId)",
            unit="currencyUSD",
            width=6,
        ),
        stat(
            title="Users",
            description="Users with a run that began in this time.",
            sql=f"SELECT uniqExactIf(User, User != '') AS users {_RUNS}",
            width=6,
        ),
        Panel(
            title="Sessions over time",
            description="Sessions with a run that began in each interval, by project.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Project) AS project,"
            f" uniqExact(SessionId) AS sessions {_RUNS} GROUP BY time, project ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Spend by user",
            description="The fifteen who spent most.",
            kind=Kind.BAR_GAUGE,
            sql="SELECT if(User = '', '(no user)', User) AS user, sum(CostUsd) AS cost"
            f" {_RUNS} GROUP BY user ORDER BY cost DESC NULLS LAST LIMIT 15",
            unit="currencyUSD",
        ),
        Panel(
            title="Latest sessions",
            description="The latest active first.",
            kind=Kind.TABLE,
            sql="SELECT max(LastActivity) AS time, SessionId AS session, any(User) AS user,"
            " toString(any(Project)) AS project, count() AS runs, sum(Agents) AS agents,"
            f" sum(LlmCalls) AS calls, sum({TOKENS}) AS tokens, sum(CostUsd) AS cost,"
            " sum(Errors) AS errors"
            f" {_RUNS} GROUP BY Tenant, SessionId ORDER BY time DESC LIMIT 200",
            units={"cost": "currencyUSD"},
            width=24,
            height=14,
        ),
    ),
)
