"""Agents by name and type: how they fare, what they cost, who holds the others up."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import (
    AGENT,
    AGENTS,
    NARROWED,
    OF_AGENT,
    SCOPE,
    TO_RUN,
    within,
)

_AGENTS: Final = f"{AGENTS} AND {OF_AGENT}"
_NAMED: Final = "if(Name = '', '(no name)', Name)"
_TOOK: Final = "dateDiff('millisecond', StartTime, LastActivity) / 1000"
# What processors say of agents has no environment: their runs have.
_ROLLUPS: Final = (
    f"FROM agent_rollups WHERE {within('StartTime')} AND {OF_AGENT} AND RunId IN"
    f" (SELECT RunId FROM runs WHERE {within('LastActivity')} AND {SCOPE})"
)

AGENTS_BOARD: Final = Board(
    name="agents",
    title="Fleetspan / Agent",
    description="Which agents fail, wait, cost and hold up the others.",
    choices=(*NARROWED, AGENT),
    panels=(
        stat(
            title="Agents",
            description="Agents and sub-agents that began in this time.",
            sql=f"SELECT count() AS agents {_AGENTS}",
        ),
        stat(
            title="Failed",
            description="Share of agents that ended in an error.",
            sql=f"SELECT countIf(Status = 'error') / greatest(count(), 1) AS failed {_AGENTS}",
            unit="percentunit",
            thresholds=(("green", None), ("orange", 0.05), ("red", 0.15)),
        ),
        stat(
            title="Abandoned",
            description="Share of agents of which nobody saw the end: silent for longer than "
            "idle_timeout_s, or their process died.",
            sql="SELECT countIf(Status = 'abandoned') / greatest(count(), 1) AS abandoned"
            f" {_AGENTS}",
            unit="percentunit",
        ),
        stat(
            title="Time of an agent, median",
            description="From its start to its last activity.",
            sql=f"SELECT median({_TOOK}) AS took {_AGENTS}",
            unit="s",
        ),
        stat(
            title="Deepest",
            description="How many agents stand above one another at most: 0 is a run without "
            "sub-agents.",
            sql=f"SELECT max(Depth) AS depth {_ROLLUPS}",
        ),
        stat(
            title="Widest",
            description="How many sub-agents one agent set to work at most.",
            sql=f"SELECT max(FanOut) AS fan_out {_ROLLUPS}",
        ),
        Panel(
            title="Agents by type",
            description="Agents that began in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Type) AS type,"
            f" count() AS agents {_AGENTS} GROUP BY time, type ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Time by agent, p95",
            description="Of the ten most frequent names, in each interval.",
            kind=Kind.TIME_SERIES,
            sql=f"SELECT $__timeInterval(StartTime) AS time, {_NAMED} AS agent,"
            f" quantile(0.95)({_TOOK}) AS p95 {_AGENTS} AND Name IN (SELECT Name {_AGENTS}"
            " GROUP BY Name ORDER BY count() DESC LIMIT 10) GROUP BY time, agent ORDER BY time",
            unit="s",
        ),
        Panel(
            title="Where their time went",
            description="Each agent's own time, its sub-agents' left out, by the fifteen names "
            "that took most: model, tools, permission, queue, back-off, gaps.",
            kind=Kind.TABLE,
            sql="SELECT if(Name = '', '(no name)', Name) AS agent, sum(ModelSeconds) AS model,"
            " sum(ToolSeconds) AS tools, sum(PermissionSeconds) AS permission,"
            " sum(QueueSeconds) AS queue, sum(BackoffSeconds) AS backoff, sum(GapSeconds) AS gap"
            f" {_ROLLUPS} GROUP BY agent ORDER BY model + tools + permission + queue + backoff"
            " + gap DESC LIMIT 15",
            units=dict.fromkeys(
                ("model", "tools", "permission", "queue", "backoff", "gap"), "s"
            ),
        ),
        Panel(
            title="Who holds the runs up",
            description="Seconds on the critical path of their runs: an agent with a long bar "
            "is worth making faster; one that is not here is not.",
            kind=Kind.BAR_GAUGE,
            sql=f"SELECT if(Name = '', '(no name)', Name) AS agent, sum(PathSeconds) AS seconds"
            f" {_ROLLUPS} GROUP BY agent HAVING seconds > 0 ORDER BY seconds DESC LIMIT 15",
            unit="s",
        ),
        Panel(
            title="Agents by name",
            description="What each did and took, itself alone; the dearest first.",
            kind=Kind.TABLE,
            sql="SELECT if(Name = '', '(no name)', Name) AS agent, toString(any(Type)) AS type,"
            " count() AS agents, countIf(Status = 'error') / count() AS failed,"
            " sum(LlmCalls) AS calls, sum(ToolCalls) AS tool_calls, sum(Errors) AS errors,"
            " sum(Tokens) AS tokens, sum(CostUsd) AS cost, sum(CostUsd) / count() AS each,"
            f" sum(PathSeconds) AS path {_ROLLUPS}"
            " GROUP BY agent ORDER BY cost DESC NULLS LAST, agents DESC LIMIT 200",
            units={
                "failed": "percentunit",
                "cost": "currencyUSD",
                "each": "currencyUSD",
                "path": "s",
            },
            width=24,
            height=10,
        ),
        Panel(
            title="Longest agents",
            description="The fifty that took longest.",
            kind=Kind.TABLE,
            sql=f"SELECT StartTime AS time, {_NAMED} AS agent, toString(Status) AS status,"
            f" {_TOOK} AS took, Task AS task, Error AS error, RunId AS run {_AGENTS}"
            " ORDER BY took DESC LIMIT 50",
            units={"took": "s"},
            links={"run": TO_RUN},
            width=24,
            height=9,
        ),
        Panel(
            title="At work and silent",
            description="Agents that have begun and not ended, the longest silent first: what is "
            "it that they wait for? After idle_timeout_s they count as abandoned.",
            kind=Kind.TABLE,
            sql=f"SELECT LastActivity AS time, {_NAMED} AS agent,"
            " dateDiff('second', LastActivity, now64(9)) AS silent, Task AS task, RunId AS run"
            f" FROM agents WHERE Status = 'running' AND Bucket >= now() - INTERVAL 7 DAY"
            f" AND {SCOPE} AND {OF_AGENT} ORDER BY silent DESC LIMIT 50",
            units={"silent": "s"},
            links={"run": TO_RUN},
            width=24,
            may_be_empty="no agent is at work",
        ),
    ),
)
