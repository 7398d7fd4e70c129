"""Runs and agents: do they end well, and in time?"""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.alerts.rule import Rule, Severity
from fleetspan_dashboards.queries import within

_WHERE: Final = "toString(Environment) AS environment, toString(Project) AS project"
_LOOPS: Final = "('no_progress_loop', 'retry_storm', 'runaway_fanout')"

RUNS: Final = (
    Rule(
        name="runs-failing",
        title="Runs fail",
        group="runs",
        sql=f"SELECT {_WHERE}, countIf(Status IN ('error', 'abandoned')) / count() AS value"
        f" FROM runs WHERE {within('LastActivity')} AND Status != 'running'"
        " GROUP BY environment, project HAVING count() >= 5",
        above=0.2,
        unit="share",
        window_s=1800,
        severity=Severity.CRITICAL,
        summary="{{ $values.A.Value | humanizePercentage }} of the runs of"
        " {{ $labels.project }} in {{ $labels.environment }} failed in half an hour",
        means="More than one in five of at least five runs that ended in the last half hour "
        "failed or were abandoned (their process died, or they fell silent).",
        todo=(
            "Open the Fleet dashboard: is it one project, one agent, one model?",
            "`fleetspan ls --since 1h` and `fleetspan explain RUN` say what failed first.",
            "If a provider fails, the Failures panel shows model calls, not tools.",
        ),
        board="fleet",
        panel="Runs by how they ended",
        promql='sum(increase(fleetspan_run_duration_seconds_count{status=~"error|abandoned"}[30m]))'
        " / sum(increase(fleetspan_run_duration_seconds_count[30m])) > 0.2"
        " and sum(increase(fleetspan_run_duration_seconds_count[30m])) >= 5",
    ),
    Rule(
        name="agents-stuck",
        title="Agents are stuck",
        group="runs",
        sql=f"SELECT {_WHERE}, if(Name = '', '(no name)', Name) AS agent,"
        " toFloat64(max(dateDiff('second', LastActivity, now64(9)))) AS value FROM agents"
        " WHERE Status = 'running' AND Bucket >= now() - INTERVAL 7 DAY"
        " AND LastActivity BETWEEN $__fromTime AND $__toTime"
        " GROUP BY environment, project, agent",
        above=600,
        unit="s",
        window_s=86_400,
        for_s=60,
        summary="Agent {{ $labels.agent }} of {{ $labels.project }} has been silent for"
        " {{ $values.A.Value | humanizeDuration }}",
        means="An agent has begun, has not ended, and nothing has been heard of it for ten "
        "minutes: neither of itself nor of a call that it made. After `idle_timeout_s` it "
        "counts as abandoned, and its run as failed.",
        todo=(
            "Does it wait for permission? `fleetspan show RUN` says since when, and for what.",
            "Does a tool or a sub-agent run that long on purpose? Then it is fine.",
            "Else end its process; `fleetspan snapshot` keeps what it had done.",
        ),
        board="agents",
        panel="At work and silent",
    ),
    Rule(
        name="agents-loop",
        title="Agents go round in circles",
        group="runs",
        sql="SELECT toString(Detector) AS detector, if(Project = '', '(none)',"
        " toString(Project)) AS project, if(AgentName = '', '(no name)', AgentName) AS agent,"
        f" toFloat64(count()) AS value FROM findings WHERE Detector IN {_LOOPS}"
        " AND FoundAt BETWEEN $__fromTime AND $__toTime"
        " AND Bucket >= $__fromTime - INTERVAL 2 DAY GROUP BY detector, project, agent",
        above=0,
        unit="count",
        window_s=900,
        until_s=0,
        for_s=0,
        severity=Severity.CRITICAL,
        summary="{{ $labels.detector }}: agent {{ $labels.agent }} of {{ $labels.project }}",
        means="An agent repeats the same step with the same result, retries without pause, or "
        "starts sub-agents without end, and each round costs.",
        todo=(
            "`fleetspan findings --since 1h` says which run, what to change, what it costs.",
            "End the run if it still goes on.",
        ),
        board="fleet",
        panel="Needs attention",
        promql="sum by (detector) (increase(fleetspan_findings_total"
        '{detector=~"no_progress_loop|retry_storm|runaway_fanout"}[15m])) > 0',
    ),
    Rule(
        name="model-slower",
        title="A model answers slower than it did",
        group="runs",
        sql="SELECT toString(Model) AS model,"
        " quantileIf(0.5)(DurationMs, StartTime > $__toTime - INTERVAL 30 MINUTE)"
        " / quantileIf(0.5)(DurationMs, StartTime <= $__toTime - INTERVAL 30 MINUTE) AS value"
        f" FROM llm_calls WHERE {within('StartTime')} AND DurationMs > 0 AND Error = ''"
        " GROUP BY model HAVING countIf(StartTime > $__toTime - INTERVAL 30 MINUTE) >= 20"
        " AND countIf(StartTime <= $__toTime - INTERVAL 30 MINUTE) >= 100",
        above=2,
        unit="times",
        window_s=86_400,
        for_s=600,
        keep_s=900,
        summary="{{ $labels.model }} takes {{ $values.A.Value | humanize }} times as long as in"
        " the day before",
        means="Half of a model's calls in the last half hour took more than twice as long as "
        "half of its calls in the day before.",
        todo=(
            "Is it the provider? Other models of it are slow, too: see its status page.",
            "Is it longer output or input? The Tokens panel shows it.",
            (
                "A run that is slower than its own usual time is a finding: `fleetspan findings "
                "--detector slower_than_usual`."
            ),
        ),
        board="model-cost",
        panel="Answer time by model, p95",
    ),
    Rule(
        name="tool-failing",
        title="A tool fails",
        group="runs",
        sql="SELECT toString(Tool) AS tool, toString(Project) AS project,"
        " countIf(Error != '') / count() AS value"
        f" FROM tool_calls WHERE {within('StartTime')} GROUP BY tool, project"
        " HAVING count() >= 10",
        above=0.5,
        unit="share",
        window_s=1800,
        for_s=300,
        summary="{{ $values.A.Value | humanizePercentage }} of the calls of"
        " {{ $labels.tool }} failed in {{ $labels.project }}",
        means="More than half of at least ten calls of one tool in half an hour failed.",
        todo=(
            "The panel What failed of the Tools dashboard has the errors.",
            (
                "A tool that was changed, or a server that is away, fails for all agents; wrong "
                "arguments for one."
            ),
        ),
        board="tools",
        panel="Failures by tool",
    ),
)
