"""All alert rules, by what they watch over."""

from typing import Final

from fleetspan_dashboards.alerts.rule import Rule
from fleetspan_dashboards.alerts.rules.collectors import COLLECTORS
from fleetspan_dashboards.alerts.rules.cost import cost_rules
from fleetspan_dashboards.alerts.rules.runs import RUNS

DAILY_BUDGET_USD: Final = 100.0
"""What a project may spend a day, unless told."""


def rules(daily_budget_usd: float = DAILY_BUDGET_USD) -> tuple[Rule, ...]:
    """Return all rules, in reading order.

    Args:
        daily_budget_usd: What a project may spend a day.
    """
    return (*RUNS, *cost_rules(daily_budget_usd), *COLLECTORS)
