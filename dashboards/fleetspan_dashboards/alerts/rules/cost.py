"""Money: is it spent faster than it should, and is all of it known?"""

from __future__ import annotations

from fleetspan_dashboards.alerts.rule import Rule, Severity
from fleetspan_dashboards.queries import UNPRICED, within


def cost_rules(daily_budget_usd: float) -> tuple[Rule, ...]:
    """Return the rules about cost.

    Args:
        daily_budget_usd: What a project may spend a day.

    Raises:
        ValueError: When that is not more than nothing.
    """
    if not daily_budget_usd > 0:
        raise ValueError("a daily budget must be more than 0 dollars")
    return (
        Rule(
            name="spend-rate",
            title="Spending is faster than usual",
            group="cost",
            sql="SELECT environment, project, lately / usual AS value FROM ("
            "SELECT toString(Environment) AS environment, toString(Project) AS project,"
            " sumIf(CostUsd, StartTime > $__toTime - INTERVAL 1 HOUR) AS lately,"
            " sumIf(CostUsd, StartTime <= $__toTime - INTERVAL 1 HOUR) / greatest(uniqExactIf("
            "toStartOfHour(StartTime), StartTime <= $__toTime - INTERVAL 1 HOUR), 1) AS usual"
            f" FROM llm_calls WHERE {within('StartTime')} GROUP BY environment, project)"
            " WHERE lately > 1 AND usual > 0",
            above=3,
            unit="times",
            window_s=86_400,
            for_s=300,
            keep_s=900,
            severity=Severity.CRITICAL,
            summary="{{ $labels.project }} in {{ $labels.environment }} spends"
            " {{ $values.A.Value | humanize }} times what it usually does",
            means="A project spent more than a dollar in the last hour, and more than three "
            "times its mean of the hours of the day before in which it spent anything.",
            todo=(
                "`fleetspan cost --since 1h` says which model and agent.",
                "A loop is a finding of its own: `fleetspan findings --since 1h`.",
                "More work than usual is no fault: raise the threshold for that project.",
            ),
            board="fleet",
            panel="Cost by project",
        ),
        Rule(
            name="budget-burn",
            title="The day's budget burns too fast",
            group="cost",
            sql="SELECT toString(Project) AS project,"
            f" toFloat64(ifNull(sum(CostUsd), 0)) * 24 / {daily_budget_usd:g} AS value"
            f" FROM llm_calls WHERE {within('StartTime')} GROUP BY project",
            above=1,
            unit="times",
            window_s=3600,
            for_s=900,
            keep_s=900,
            summary="{{ $labels.project }} burns its day's budget"
            " {{ $values.A.Value | humanize }} times as fast as it lasts",
            means=f"At the rate of the last hour a project spends more than {daily_budget_usd:g} "
            "dollars a day. `fleetspan alerts export --daily-budget USD` sets another budget.",
            todo=(
                "`fleetspan cost --since 1h` says what it went to.",
                "Budgets in the SDK stop a run by itself: `fleetspan.run(budget=...)`.",
            ),
            board="model-cost",
            panel="Spend",
            promql="sum(rate(fleetspan_run_cost_usd_sum[1h])) * 86400"
            f" / {daily_budget_usd:g} > 1",
        ),
        Rule(
            name="unpriced",
            title="Calls have no price",
            group="cost",
            sql=f"SELECT toString(Model) AS model, {UNPRICED} / count() AS value"
            f" FROM llm_calls WHERE {within('StartTime')} GROUP BY model HAVING count() >= 10",
            above=0.05,
            unit="share",
            window_s=3600,
            for_s=600,
            keep_s=600,
            summary="{{ $values.A.Value | humanizePercentage }} of the calls of"
            " {{ $labels.model }} have no price",
            means="More than one in twenty calls of a model have no known price, so that the "
            "spend is higher than every panel shows.",
            todo=(
                (
                    "Give the model a price in the file of `price_override_file`, or upgrade "
                    "`genai-prices`."
                ),
                "`fleetspan reprice --since 1d` prices what is stored.",
            ),
            board="model-cost",
            panel="Unpriced share",
        ),
        Rule(
            name="unattributed",
            title="Spending that nobody's calls explain",
            group="cost",
            sql="SELECT toString(Project) AS project, ifNull(sum(UnattributedUsd), 0)"
            " / (ifNull(sum(UnattributedUsd), 0) + ifNull(sum(CostUsd), 0)) AS value"
            f" FROM runs WHERE {within('StartTime')} GROUP BY project"
            " HAVING ifNull(sum(UnattributedUsd), 0) > 0.5",
            above=0.1,
            unit="share",
            window_s=6 * 3600,
            for_s=600,
            keep_s=600,
            summary="{{ $values.A.Value | humanizePercentage }} of what {{ $labels.project }}"
            " spent belongs to no call that arrived",
            means="Clients say that their sessions cost more than the calls that arrived here: "
            "a feed is missing, or calls were lost before they were sent.",
            todo=(
                "The panel Clients and feeds shows which feed is missing.",
                "`fleetspan doctor`, then `fleetspan claude install` on the machines concerned.",
                "`fleetspan claude import` brings what transcripts still have.",
            ),
            board="claude-code",
            panel="Beyond our calls",
        ),
    )
