"""Rules tried on a store: which would fire now, and why."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleetspan_dashboards.alerts.rule import Missing, Rule
from fleetspan_dashboards.macros import expand

Ask = Callable[[str], Sequence[Mapping[str, Any]]]
"""Runs a query; returns its rows by column names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One row of a rule's query.

    Attributes:
        labels: What tells it from the rule's other alerts.
        value: What was measured; ``None`` when there was no row at all.
        fires: Whether it is past the rule's threshold.
    """

    labels: Mapping[str, str]
    value: float | None
    fires: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a rule says of a store.

    Attributes:
        alerts: Its rows, those that fire first, the highest first.
    """

    rule: Rule
    alerts: Sequence[Alert]

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return sum(alert.fires for alert in self.alerts)


def query(rule: Rule, now_s: int) -> str:
    """Return a rule's query as the plugin would send it at a time, in Unix seconds."""
    return expand(rule.sql, from_s=now_s - rule.window_s, to_s=now_s - rule.until_s)


def judge(rules: Iterable[Rule], ask: Ask, now_s: int) -> Iterator[Verdict]:
    """Run the query of each rule and hold every row against its threshold.

    Args:
        rules: Rules.
        ask: Runs a query on the store, in the store's database. What it raises goes on.
        now_s: Unix seconds.
    """
    for rule in rules:
        rows = ask(query(rule, now_s))
        alerts = sorted(
            (_alert(rule, row) for row in rows),
            key=lambda alert: (-(alert.value or 0.0), sorted(alert.labels.items())),
        )
        if not alerts and rule.missing is Missing.FIRES:
            alerts = [Alert(labels={}, value=None, fires=True)]
        yield Verdict(rule=rule, alerts=alerts)


def _alert(rule: Rule, row: Mapping[str, Any]) -> Alert:
    value = row["value"]
    measured = None if value is None else float(value)
    return Alert(
        labels={name: str(text) for name, text in row.items() if name != "value"},
        value=measured,
        fires=measured is not None and measured > rule.above,
    )
