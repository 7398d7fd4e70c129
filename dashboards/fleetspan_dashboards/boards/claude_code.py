"""Claude Code: sessions, what they change, what they wait for, what its feeds tell."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import (
    AGENTS,
    CALLS,
    INPUT,
    NARROWED,
    RUNS,
    TO_RUN,
    TOKENS,
    TOOL_CALLS,
)

_OURS: Final = "Service = 'claude-code'"
_RUNS: Final = f"{RUNS} AND {_OURS}"
_CALLS: Final = f"{CALLS} AND {_OURS}"
_TOOLS: Final = f"{TOOL_CALLS} AND {_OURS}"
_SUBAGENTS: Final = f"{AGENTS} AND {_OURS} AND ParentAgentId IS NOT NULL"


def _counter(name: str) -> str:
    """What the client counts, each time only what is new since the last."""
    return (
        "FROM otel_metrics_sum WHERE ServiceName = 'claude-code'"
        f" AND MetricName = 'claude_code.{name}' AND $__timeFilter(TimeUnix)"
    )


_LOGS: Final = (
    "FROM otel_logs WHERE ServiceName = 'claude-code' AND $__timeFilter(Timestamp)"
)

CLAUDE_CODE: Final = Board(
    name="claude-code",
    title="Fleetspan / Claude Code",
    description="Sessions of Claude Code, joined from its spans, events, hooks and transcripts.",
    choices=NARROWED,
    hours=24 * 7,
    panels=(
        stat(
            title="Sessions",
            description="Sessions that began in this time; a resumed one counts once.",
            sql=f"SELECT uniqExact(Tenant, SessionId) AS sessions {_RUNS}",
        ),
        stat(
            title="Spend",
            description="Cost of their model calls, each request once.",
            sql=f"SELECT sum(CostUsd) AS spend {_CALLS}",
            unit="currencyUSD",
        ),
        stat(
            title="Beyond our calls",
            description="What the client says its sessions cost beyond the calls that arrived "
            "here: high means that a feed is missing.",
            sql=f"SELECT sum(UnattributedUsd) AS unattributed {_RUNS}",
            unit="currencyUSD",
        ),
        stat(
            title="Active time",
            description="Time that the client counts as work, of people and of itself.",
            sql=f"SELECT sum(Value) AS seconds {_counter('active_time.total')}",
            unit="s",
        ),
        stat(
            title="Lines changed",
            description="Lines of code added and removed.",
            sql=f"SELECT sum(Value) AS lines {_counter('lines_of_code.count')}",
        ),
        stat(
            title="Edits accepted",
            description="Share of proposed edits that were accepted.",
            sql="SELECT sumIf(Value, Attributes['decision'] = 'accept') / sum(Value) AS accepted"
            f" {_counter('code_edit_tool.decision')}",
            unit="percentunit",
        ),
        Panel(
            title="Cost by who asked",
            description="Main conversation, sub-agents, and what the client asks on the side "
            "(titles, summaries), as the client itself counts.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(TimeUnix) AS time, Attributes['query_source'] AS source,"
            f" sum(Value) AS cost {_counter('cost.usage')} GROUP BY time, source ORDER BY time",
            unit="currencyUSD",
            stacked=True,
        ),
        Panel(
            title="Read from the cache",
            description="Share of input tokens that the provider had in its prompt cache, by model.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Model) AS model,"
            f" sum(CacheReadTokens) / greatest(sum({INPUT}), 1) AS cached {_CALLS}"
            " GROUP BY time, model ORDER BY time",
            unit="percentunit",
        ),
        Panel(
            title="Sub-agents by type",
            description="Sub-agents that began in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, toString(Type) AS type,"
            f" count() AS agents {_SUBAGENTS} GROUP BY time, type ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Failed requests",
            description="Requests to the provider that failed, by their error, in each interval.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(StartTime) AS time, substring(Error, 1, 80) AS error,"
            f" count() AS calls {_CALLS} AND Error != '' GROUP BY time, error ORDER BY time",
            stacked=True,
            may_be_empty="no request failed",
        ),
        Panel(
            title="Tools",
            description="What it used; how often it failed, was waited for, and how much came back.",
            kind=Kind.TABLE,
            sql="SELECT toString(Tool) AS tool, count() AS calls, countIf(Error != '') / count()"
            " AS failed, quantile(0.95)(DurationMs) / 1000 AS p95, sum(PermissionWaitMs) / 1000"
            f" AS waited, avg(ResultBytes) AS result {_TOOLS} GROUP BY tool ORDER BY calls DESC",
            units={
                "failed": "percentunit",
                "p95": "s",
                "waited": "s",
                "result": "bytes",
            },
        ),
        Panel(
            title="Who decided on tools",
            description="How calls of tools were allowed or refused: by the settings, a hook, "
            "the mode, or somebody at the keyboard.",
            kind=Kind.TABLE,
            sql="SELECT LogAttributes['tool_name'] AS tool, LogAttributes['decision'] AS decision,"
            f" LogAttributes['source'] AS source, count() AS decisions {_LOGS}"
            " AND EventName = 'tool_decision' GROUP BY tool, decision, source"
            " ORDER BY decisions DESC LIMIT 50",
        ),
        Panel(
            title="Sub-agents",
            description="By type: how many, how they ended, how long they took.",
            kind=Kind.TABLE,
            sql="SELECT toString(Type) AS type, count() AS agents, countIf(Status = 'error')"
            " AS failed, countIf(Status = 'abandoned') AS abandoned,"
            " median(dateDiff('millisecond', StartTime, LastActivity)) / 1000 AS took,"
            f" sum(Activations) AS activations {_SUBAGENTS} GROUP BY type ORDER BY agents DESC",
            units={"took": "s"},
        ),
        Panel(
            title="Clients and feeds",
            description="Versions that are in use, and how many of their sessions each feed told "
            "of: a feed that is missing is not installed (`fleetspan claude install`).",
            kind=Kind.TABLE,
            sql="SELECT ClientVersion AS version, count() AS sessions,"
            " countIf(has(Sources, 'span')) AS spans, countIf(has(Sources, 'log')) AS events,"
            " countIf(has(Sources, 'hook')) AS hooks, countIf(has(Sources, 'transcript'))"
            f" AS transcripts {_RUNS} GROUP BY version ORDER BY sessions DESC LIMIT 20",
        ),
        Panel(
            title="Hooks",
            description="Events that arrived from the client's hooks.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(EventTime) AS time, toString(Event) AS event,"
            " count() AS hooks FROM claude_hooks WHERE $__timeFilter(EventTime)"
            " GROUP BY time, event ORDER BY time",
            stacked=True,
        ),
        Panel(
            title="Compactions",
            description="Conversations that outgrew the context window and were summarised; each "
            "one makes the prompt cache useless once.",
            kind=Kind.TIME_SERIES,
            sql="SELECT $__timeInterval(Timestamp) AS time, LogAttributes['trigger'] AS trigger,"
            f" count() AS compactions {_LOGS} AND EventName = 'compaction'"
            " GROUP BY time, trigger ORDER BY time",
            may_be_empty="no conversation was compacted",
        ),
        Panel(
            title="Latest sessions",
            description="The newest first.",
            kind=Kind.TABLE,
            sql="SELECT StartTime AS time, Name AS prompt, User AS user, toString(Project)"
            " AS project, toString(Status) AS status, Agents AS agents, LlmCalls AS calls,"
            f" {TOKENS} AS tokens, CostUsd AS cost, Errors AS errors, RunId AS run {_RUNS}"
            " ORDER BY time DESC LIMIT 100",
            units={"cost": "currencyUSD"},
            links={"run": TO_RUN},
            width=24,
            height=10,
        ),
    ),
)
