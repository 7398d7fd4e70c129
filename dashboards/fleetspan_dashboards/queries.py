"""Parts of queries that several panels share; tables by the names of the views."""

from __future__ import annotations

from typing import Final

from fleetspan_dashboards.panel import Choice

SCOPE: Final = (
    "$__conditionalAll(Environment IN (${environment:singlequote}), $environment)"
    " AND $__conditionalAll(Project IN (${project:singlequote}), $project)"
)
"""A condition that keeps to the chosen environments and projects."""
OF_MODEL: Final = "$__conditionalAll(Model IN (${model:singlequote}), $model)"
OF_AGENT: Final = "$__conditionalAll(Name IN (${agent:singlequote}), $agent)"


def within(column: str) -> str:
    """Return a condition that keeps to the chosen time, by a column and its hour.

    The hour of a row's first sight may lie before its time: a day is left for that.
    """
    return (
        f"$__timeFilter({column}) AND Bucket BETWEEN"
        " toStartOfHour($__fromTime) - INTERVAL 1 DAY AND $__toTime"
    )


RUNS: Final = f"FROM runs WHERE {within('StartTime')} AND {SCOPE}"
AGENTS: Final = f"FROM agents WHERE {within('StartTime')} AND {SCOPE}"
CALLS: Final = f"FROM llm_calls WHERE {within('StartTime')} AND {SCOPE}"
TOOL_CALLS: Final = f"FROM tool_calls WHERE {within('StartTime')} AND {SCOPE}"
INPUT: Final = "InputTokens + CacheReadTokens + CacheWriteTokens"
TOKENS: Final = f"{INPUT} + OutputTokens"
UNPRICED: Final = (
    "countIf(CostUsd IS NULL AND NOT (Error != '' AND InputTokens IS NULL))"
)
"""Calls that cost something nobody knows; a call that failed at once cost nothing."""
TO_RUN: Final = "/d/fleetspan-run?var-run=${__value.raw}"
"""Where the id of a run leads."""

OWN: Final = "ServiceName = 'fleetspan-collector' AND $__timeFilter(TimeUnix)"
"""What collectors write of themselves."""
INSTANCE: Final = "ResourceAttributes['service.instance.id']"


def growth(metrics: str, label: str) -> str:
    """Return a query of what counters of collectors grew by, sample by sample.

    A collector's counters begin at 0 with it: its first sample counts whole, unless it
    began before the chosen time.

    Args:
        metrics: A condition on ``MetricName``.
        label: An expression of what tells the series apart.

    Returns:
        A query with the columns ``at``, ``instance``, ``label`` and ``grown``.
    """
    return (
        f"SELECT TimeUnix AS at, {INSTANCE} AS instance, {label} AS label,"
        " if(row_number() OVER series = 1 AND StartTimeUnix < $__fromTime, 0,"
        " Value - lagInFrame(Value) OVER series) AS grown"
        f" FROM otel_metrics_sum WHERE {OWN} AND {metrics}"
        f" WINDOW series AS (PARTITION BY {INSTANCE}, MetricName, Attributes"
        " ORDER BY TimeUnix ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW)"
    )


def _choice(name: str, column: str, view: str, *before: str) -> Choice:
    """A choice of the values of a column, among the rows that are chosen already."""
    narrowed = "".join(
        f" AND $__conditionalAll({each.title()} IN (${{{each}:singlequote}}), ${each})"
        for each in before
    )
    return Choice(
        name=name,
        label=name.title(),
        sql=f"SELECT DISTINCT toString({column}) FROM {view} WHERE Bucket >= $__fromTime"
        f" - INTERVAL 1 DAY{narrowed} ORDER BY 1",
    )


ENVIRONMENT: Final = _choice("environment", "Environment", "runs")
PROJECT: Final = _choice("project", "Project", "runs", "environment")
AGENT: Final = _choice("agent", "Name", "agents", "environment", "project")
MODEL: Final = _choice("model", "Model", "llm_calls", "environment", "project")
NARROWED: Final = (ENVIRONMENT, PROJECT)
"""What narrows most dashboards."""
