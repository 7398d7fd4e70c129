"""One run: its tree, where its time went, what was found, and its trace."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Board, Kind, Panel, stat
from fleetspan_dashboards.queries import TOKENS

_RUN: Final = (
    "RunId = ${run:sqlstring} AND Bucket BETWEEN"
    " toStartOfHour($__fromTime) - INTERVAL 1 DAY AND $__toTime"
)

RUN: Final = Board(
    name="run",
    title="Fleetspan / Run",
    description="One run, named by its id: agents, time, findings, trace.",
    run=True,
    panels=(
        stat(
            title="Status",
            description="How the run stands.",
            sql=f"SELECT toString(Status) AS status FROM runs WHERE {_RUN}",
            unit="string",
        ),
        stat(
            title="Took",
            description="From its start to its last activity.",
            sql="SELECT dateDiff('millisecond', StartTime, LastActivity) / 1000 AS took"
            f" FROM runs WHERE {_RUN}",
            unit="s",
        ),
        stat(
            title="Cost",
            description="Of all its calls that have a price.",
            sql=f"SELECT CostUsd AS cost FROM runs WHERE {_RUN}",
            unit="currencyUSD",
        ),
        stat(
            title="Tokens",
            description="Input, cache and output together.",
            sql=f"SELECT {TOKENS} AS tokens FROM runs WHERE {_RUN}",
        ),
        stat(
            title="Complexity",
            description="Of the task before it ran, 0 to 10.",
            sql=f"SELECT Complexity AS complexity FROM run_analyses WHERE {_RUN}",
        ),
        stat(
            title="Could be saved",
            description="What its findings would save together.",
            sql=f"SELECT SavedUsd AS saved FROM run_analyses WHERE {_RUN}",
            unit="currencyUSD",
        ),
        Panel(
            title="Agents",
            description="Who set whom to work; the ring is green for the share of calls that went well.",
            kind=Kind.NODE_GRAPH,
            sql="SELECT AgentId AS id, Name AS title, toString(Type) AS subtitle,"
            " toString(Status) AS mainstat,"
            " concat(toString(dateDiff('second', StartTime, LastActivity)), ' s') AS secondarystat,"
            " if(Status = 'error', 1, 0) AS arc__failed, if(Status = 'error', 0, 1) AS arc__ok"
            f" FROM agents WHERE {_RUN}",
            edges="SELECT concat(assumeNotNull(ParentAgentId), ' ', AgentId) AS id,"
            " assumeNotNull(ParentAgentId) AS source, AgentId AS target, toString(Type) AS mainstat"
            f" FROM agents WHERE {_RUN} AND ParentAgentId IS NOT NULL AND ParentAgentId != ''",
            height=11,
        ),
        Panel(
            title="Where its time went",
            description="The critical path: every second stands once.",
            kind=Kind.BAR_GAUGE,
            sql="SELECT pair.1 AS part, pair.2 AS seconds FROM (SELECT arrayJoin(["
            "('model', ModelSeconds), ('tool', ToolSeconds), ('permission', PermissionSeconds),"
            " ('queue', QueueSeconds), ('back-off', BackoffSeconds),"
            " ('sub-agent', SubagentSeconds), ('gap', GapSeconds)]) AS pair"
            f" FROM run_analyses WHERE {_RUN}) WHERE seconds > 0 ORDER BY seconds DESC",
            unit="s",
            height=11,
        ),
        Panel(
            title="Findings",
            description="What stood out, the worst first.",
            kind=Kind.TABLE,
            sql="SELECT toString(Severity) AS severity, toString(Detector) AS finding, What AS what,"
            " Advice AS advice, Usd AS usd, Seconds AS seconds FROM findings"
            f" WHERE {_RUN} ORDER BY findings.Severity DESC",
            units={"usd": "currencyUSD", "seconds": "s"},
            width=24,
            may_be_empty="a run in which nothing stood out",
        ),
        Panel(
            title="Model calls",
            description="In their order.",
            kind=Kind.TABLE,
            sql="SELECT StartTime AS time, toString(Model) AS model, DurationMs / 1000 AS took,"
            f" {TOKENS} AS tokens, CostUsd AS cost, Error AS error"
            f" FROM llm_calls WHERE {_RUN} ORDER BY time LIMIT 1000",
            units={"took": "s", "cost": "currencyUSD"},
        ),
        Panel(
            title="Tool calls",
            description="In their order.",
            kind=Kind.TABLE,
            sql="SELECT StartTime AS time, toString(Tool) AS tool, DurationMs / 1000 AS took,"
            " PermissionWaitMs / 1000 AS waited, ResultBytes AS result, Error AS error"
            f" FROM tool_calls WHERE {_RUN} ORDER BY time LIMIT 1000",
            units={"took": "s", "waited": "s", "result": "bytes"},
        ),
        Panel(
            title="Trace",
            description="Its spans, as OpenTelemetry has them.",
            kind=Kind.TRACE,
            sql="SELECT TraceId AS traceID, SpanId AS spanID, ParentSpanId AS parentSpanID,"
            " toString(ServiceName) AS serviceName, toString(SpanName) AS operationName,"
            " toUnixTimestamp64Nano(Timestamp) * 1e-6 AS startTime, Duration * 1e-6 AS duration,"
            " arrayMap(key -> map('key', key, 'value', SpanAttributes[key]),"
            " mapKeys(SpanAttributes)) AS tags,"
            " arrayMap(key -> map('key', key, 'value', ResourceAttributes[key]),"
            " mapKeys(ResourceAttributes)) AS serviceTags,"
            " if(StatusCode = 'Error', 2, 0) AS statusCode"
            " FROM otel_traces WHERE TraceId IN"
            f" (SELECT TraceId FROM runs WHERE {_RUN} AND TraceId != '')"
            " AND Timestamp BETWEEN $__fromTime - INTERVAL 1 DAY AND $__toTime"
            " ORDER BY startTime LIMIT 5000",
            width=24,
            height=14,
        ),
    ),
)
