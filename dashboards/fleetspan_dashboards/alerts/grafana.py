"""Alert rules as Grafana keeps them, in a file of its provisioning or over its API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from fleetspan_dashboards.alerts.rule import Rule
from fleetspan_dashboards.files import panel_ids

FOLDER: Final = "Fleetspan"
FOLDER_UID: Final = "fleetspan"
DATA_SOURCE_UID: Final = "fleetspan"
RUNBOOKS: Final = "http://localhost:4319/help/alerts"
"""The page of a collector that says what each rule means and what to do."""
_EVERY_S: Final = 60
_EXPRESSION: Final = "__expr__"


def groups(
    rules: Iterable[Rule],
    *,
    data_source: str = DATA_SOURCE_UID,
    runbooks: str = RUNBOOKS,
) -> list[dict[str, Any]]:
    """Return rules by their groups, as a provisioning file has them.

    Args:
        rules: Rules.
        data_source: Uid of the ClickHouse data source.
        runbooks: Address of the runbook; the name of the rule is added after ``#``.
    """
    found: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        found.setdefault(rule.group, []).append(_rule(rule, data_source, runbooks))
    return [
        {
            "orgId": 1,
            "name": f"fleetspan-{name}",
            "folder": FOLDER,
            "interval": f"{_EVERY_S}s",
            "rules": some,
        }
        for name, some in found.items()
    ]


def provisioning(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return groups as the document of a provisioning file.

    Grafana replaces variables in these files: a dollar sign is written twice.
    """
    document = {"apiVersion": 1, "groups": list(found)}
    doubled: dict[str, Any] = json.loads(json.dumps(document).replace("$", "$$"))
    return doubled


def _rule(rule: Rule, data_source: str, runbooks: str) -> dict[str, Any]:
    return {
        "uid": rule.uid,
        "title": rule.title,
        "condition": "B",
        "data": [_query(rule, data_source), _threshold(rule)],
        "for": f"{rule.for_s}s",
        "keepFiringFor": f"{rule.keep_s}s",
        "noDataState": rule.missing.value,
        # A query that fails is a fault of Grafana's way to the store, not of an agent.
        "execErrState": "Error",
        "annotations": {
            "summary": rule.summary,
            "description": rule.means,
            "runbook_url": f"{runbooks}#{rule.name}",
            "__dashboardUid__": f"fleetspan-{rule.board}",
            "__panelId__": str(panel_ids(rule.board)[rule.panel]),
        },
        "labels": {"severity": rule.severity.value, "source": "fleetspan"},
        "isPaused": False,
    }


def _query(rule: Rule, data_source: str) -> dict[str, Any]:
    return {
        "refId": "A",
        "relativeTimeRange": {"from": rule.window_s, "to": rule.until_s},
        "datasourceUid": data_source,
        "model": {
            "refId": "A",
            "editorType": "sql",
            # A table of text columns and one number is one alert per row.
            "format": 1,
            "queryType": "table",
            "rawSql": rule.sql,
            "intervalMs": 1000,
            "maxDataPoints": 43200,
        },
    }


def _threshold(rule: Rule) -> dict[str, Any]:
    return {
        "refId": "B",
        "relativeTimeRange": {"from": rule.window_s, "to": rule.until_s},
        "datasourceUid": _EXPRESSION,
        "model": {
            "refId": "B",
            "type": "threshold",
            "expression": "A",
            "datasource": {"type": _EXPRESSION, "uid": _EXPRESSION},
            "conditions": [{"evaluator": {"type": "gt", "params": [rule.above]}}],
        },
    }
