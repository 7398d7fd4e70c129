"""Alert rules over ``/metrics``, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from fleetspan_dashboards.alerts.grafana import RUNBOOKS
from fleetspan_dashboards.alerts.rule import Rule


def document(rules: Iterable[Rule], *, runbooks: str = RUNBOOKS) -> dict[str, Any]:
    """Return the rules that ``/metrics`` can tell of, as a file of Prometheus.

    What they say of is one collector each; the job of the collectors is ``fleetspan``.

    Args:
        rules: Rules; those without an expression are left out.
        runbooks: Address of the runbook; the name of the rule is added after ``#``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        if not rule.promql:
            continue
        found.setdefault(rule.group, []).append(
            {
                "alert": _name(rule),
                "expr": rule.promql,
                "for": f"{rule.for_s}s",
                "keep_firing_for": f"{rule.keep_s}s",
                "labels": {"severity": rule.severity.value, "source": "fleetspan"},
                "annotations": {
                    "summary": rule.title,
                    "description": rule.means,
                    "runbook_url": f"{runbooks}#{rule.name}",
                },
            }
        )
    return {
        "groups": [
            {"name": f"fleetspan-{name}", "interval": "60s", "rules": some}
            for name, some in found.items()
        ]
    }


def _name(rule: Rule) -> str:
    return "Fleetspan" + "".join(word.title() for word in rule.name.split("-"))
