"""Alert rules over the tables of Fleetspan, for Grafana and for Prometheus."""

from fleetspan_dashboards.alerts.rule import Missing, Rule, Severity
from fleetspan_dashboards.alerts.rules import DAILY_BUDGET_USD, rules

__all__ = ["DAILY_BUDGET_USD", "Missing", "Rule", "Severity", "rules"]
