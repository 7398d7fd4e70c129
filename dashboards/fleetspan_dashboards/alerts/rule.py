"""What an alert rule is made of, apart from how Grafana or Prometheus write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum


class Severity(StrEnum):
    """How urgent it is."""

    CRITICAL = "critical"
    """Somebody should look now."""
    WARNING = "warning"
    """Somebody should look today."""


class Missing(StrEnum):
    """What no rows mean."""

    FINE = "OK"
    """Nothing happened of what the rule looks for."""
    FIRES = "Alerting"
    """There should have been rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One alert rule: a query, and the value from which it fires.

    Attributes:
        name: In its uid and in the address of its runbook; stays the same for ever.
        title: What is the case when it fires.
        group: Rules that are looked at together.
        sql: The query: text columns, which tell the alerts of the rule apart, and
            ``value``. With the macros of Grafana's ClickHouse plugin.
        above: It fires when ``value`` is more than this.
        unit: Of ``value``: ``share``, ``s``, ``USD``, ``times`` or ``count``.
        window_s: How far back the query looks, in seconds.
        until_s: How long before now it ends: what is younger may not have arrived.
        for_s: How long it has to hold.
        keep_s: How long it goes on firing after it no longer holds, against flapping.
        missing: What no rows mean.
        severity: How urgent it is.
        summary: One line; ``{{ $labels.NAME }}`` and ``{{ $values.A }}`` are filled in.
        means: What is the case, for the runbook.
        todo: What to do, step by step, for the runbook.
        board: Dashboard that shows it.
        panel: Title of the panel that shows it.
        promql: The same over a collector's ``/metrics``; ``""`` where that cannot say it.
    """

    name: str
    title: str
    group: str
    sql: str
    above: float
    unit: str
    window_s: int
    until_s: int = 30
    for_s: int = 120
    keep_s: int = 300
    missing: Missing = Missing.FINE
    severity: Severity = Severity.WARNING
    summary: str
    means: str
    todo: Sequence[str]
    board: str
    panel: str
    promql: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def uid(self) -> str:
        """How Grafana knows it."""
        return f"fleetspan-{self.name}"
