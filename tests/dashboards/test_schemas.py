"""What is for Grafana, against Grafana's own types; and that the checks can fail."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable
from importlib import resources
from typing import Any, Final

import fleetspan_dashboards
import pytest
import yaml

from tests.dashboards import schemas
from tests.dashboards.schemas.__main__ import as_text
from tests.dashboards.schemas.make import golang, typescript

RULE: Final[dict[str, Any]] = {
    "uid": "fleetspan-failing",
    "title": "Runs fail",
    "condition": "B",
    "data": [
        {
            "refId": "A",
            "relativeTimeRange": {"from": 600, "to": 60},
            "datasourceUid": "fleetspan",
            "model": {"refId": "A", "rawSql": "SELECT 1"},
        },
        {
            "refId": "B",
            "relativeTimeRange": {"from": 0, "to": 0},
            "datasourceUid": "__expr__",
            "model": {"refId": "B", "type": "threshold", "expression": "A"},
        },
    ],
    "for": "5m",
    "keepFiringFor": "1h30m",
    "noDataState": "OK",
    "execErrState": "KeepLast",
    "annotations": {"summary": "Runs fail"},
    "labels": {"severity": "warning"},
    "isPaused": False,
}
FILE: Final[dict[str, Any]] = {
    "apiVersion": 1,
    "groups": [
        {
            "orgId": 1,
            "name": "fleetspan",
            "folder": "Fleetspan",
            "interval": "1m",
            "rules": [RULE],
        }
    ],
    "contactPoints": [
        {
            "orgId": 1,
            "name": "fleetspan",
            "receivers": [
                {"uid": "hook", "type": "webhook", "settings": {"url": "http://x"}}
            ],
        }
    ],
    "policies": [
        {
            "orgId": 1,
            "receiver": "fleetspan",
            "group_by": ["alertname"],
            "routes": [
                {"receiver": "fleetspan", "object_matchers": [["team", "=", "a"]]}
            ],
        }
    ],
    "deleteRules": [{"orgId": 1, "uid": "gone"}],
    "resetPolicies": [1],
}
ALERTS: Final = (
    "grafana/fleetspan.yaml",
    "examples/contact-point.yaml",
    "examples/policy.yaml",
)

PANELS: Final[dict[str, dict[str, Any]]] = {
    "stat": {"options": {"colorMode": "value", "reduceOptions": {"values": False}}},
    "timeseries": {
        "options": {"legend": {"displayMode": "table", "calcs": ["max"]}},
        "fieldConfig": {
            "defaults": {
                "unit": "s",
                "custom": {"drawStyle": "bars", "stacking": {"mode": "normal"}},
            },
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": "cost"},
                    "properties": [
                        {"id": "unit", "value": "currencyUSD"},
                        {"id": "custom.axisPlacement", "value": "right"},
                    ],
                }
            ],
        },
    },
    "table": {
        "options": {"cellHeight": "sm", "footer": {"show": False}},
        "fieldConfig": {
            "defaults": {"custom": {"cellOptions": {"type": "color-text"}}},
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": "cost"},
                    "properties": [
                        {
                            "id": "custom.cellOptions",
                            "value": {"type": "gauge", "mode": "basic"},
                        },
                        {"id": "custom.tooltip.field", "value": "why"},
                    ],
                }
            ],
        },
    },
    "state-timeline": {"options": {"showValue": "never", "rowHeight": 0.8}},
    "bargauge": {"options": {"displayMode": "lcd", "orientation": "horizontal"}},
    "nodeGraph": {"options": {"nodes": {"arcs": [{"field": "arc", "color": "red"}]}}},
    "traces": {},
}


def _board(**panels: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard with a panel of each kind that is given."""
    place = {"h": 8, "w": 12, "x": 0, "y": 0}
    return {
        "uid": "test",
        "title": "Test",
        "schemaVersion": 42,
        "tags": ["fleetspan"],
        "time": {"from": "now-6h", "to": "now"},
        "panels": [
            {
                "id": number,
                "type": kind,
                "title": kind,
                "gridPos": place,
                "datasource": {"type": "clickhouse", "uid": "${datasource}"},
                "targets": [{"refId": "A", "rawSql": "SELECT 1"}],
                **panel,
            }
            for number, (kind, panel) in enumerate(panels.items(), 1)
        ],
    }


def _changed(document: dict[str, Any], *path: str | int, to: Any) -> dict[str, Any]:
    """Return a copy with another value at a path."""
    changed = copy.deepcopy(document)
    at: Any = changed
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = to
    return changed


@pytest.mark.parametrize("name", fleetspan_dashboards.names())
def test_shipped_dashboards(name: str) -> None:
    """Every one is of Grafana's types."""
    schemas.check_dashboard(json.loads(fleetspan_dashboards.read(name)))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda it: it.update(panel=it.pop("panels")), "'panel' was unexpected"),
        (lambda it: it.pop("schemaVersion"), "'schemaVersion' is a required"),
        (lambda it: it.update(tags="fleetspan"), "tags: 'fleetspan' is not of type"),
        (lambda it: it["time"].update(until="now"), "time: "),
        (lambda it: it["panels"][0].update(gridpos={}), "panels[0]: "),
        (lambda it: it["panels"][0].update(type="statt"), "panels[0].type: "),
        (lambda it: it["panels"][0]["gridPos"].update(w="12"), "panels[0].gridPos.w: "),
        (
            lambda it: it["panels"][0]["options"].update(colourMode="value"),
            "panels[0].options: ",
        ),
        (
            lambda it: it["panels"][0]["options"].update(colorMode="valeu"),
            "panels[0].options.colorMode: 'valeu' is not one of",
        ),
        (
            lambda it: it["panels"][0]["fieldConfig"]["defaults"].update(units="s"),
            "panels[0].fieldConfig.defaults: ",
        ),
        (
            lambda it: it["panels"][0]["targets"][0].pop("refId"),
            "panels[0].targets[0]: 'refId' is a required",
        ),
        (
            lambda it: it["templating"]["list"][0].update(type="datasources"),
            "templating.list[0].type: ",
        ),
        (
            lambda it: it["templating"]["list"][0].update(refresh=7),
            "templating.list[0].refresh: ",
        ),
        (lambda it: it["links"][0].update(url=1), "links[0].url: 1 is not of type"),
    ],
)
def test_a_changed_dashboard_is_refused(
    change: Callable[[dict[str, Any]], object], said: str
) -> None:
    """A field of another name, another type, a value that is not one of the choice."""
    document = json.loads(fleetspan_dashboards.read("fleet"))
    assert document["panels"][0]["type"] == "stat"
    change(document)
    with pytest.raises(AssertionError) as refused:
        schemas.check_dashboard(document)
    assert said in str(refused.value)


def test_kinds_of_panels() -> None:
    """Each has its own options and fields."""
    schemas.check_dashboard(_board(**PANELS))


@pytest.mark.parametrize(
    ("kind", "path", "value", "said"),
    [
        ("stat", ("options", "legend"), {}, "'legend' was unexpected"),
        ("stat", ("options", "reduceOptions", "values"), "no", "is not of type"),
        ("timeseries", ("options", "tooltip"), {"mode": "all"}, "'all' is not one of"),
        (
            "timeseries",
            ("fieldConfig", "defaults", "custom", "fill"),
            1,
            "'fill' was unexpected",
        ),
        (
            "timeseries",
            ("fieldConfig", "overrides", 0, "properties", 0, "id"),
            "units",
            "overrides[0].properties[0].id: 'units'",
        ),
        (
            "timeseries",
            ("fieldConfig", "overrides", 0, "properties", 1, "value"),
            "east",
            "'east' is not one of",
        ),
        (
            "table",
            ("fieldConfig", "overrides", 0, "properties", 1, "id"),
            "custom.tip.field",
            "custom.tip.field",
        ),
        (
            "table",
            ("fieldConfig", "defaults", "custom", "cellOptions"),
            {"type": "colour"},
            "cellOptions",
        ),
        ("table", ("options", "footer"), {"shown": True}, "'shown' was unexpected"),
        ("state-timeline", ("options", "showValue"), "no", "'no' is not one of"),
        ("bargauge", ("options", "displayMode"), "led", "'led' is not one of"),
        ("nodeGraph", ("options", "node"), {}, "'node' was unexpected"),
        ("traces", ("transparant",), True, "'transparant' was unexpected"),
    ],
)
def test_a_changed_panel_is_refused(
    kind: str, path: tuple[str | int, ...], value: object, said: str
) -> None:
    """Its own options and fields, and values of overrides by what they are of."""
    document = _changed(_board(**{kind: PANELS[kind]}), "panels", 0, *path, to=value)
    with pytest.raises(AssertionError) as refused:
        schemas.check_dashboard(document)
    assert said in str(refused.value)


def test_panels_in_a_row() -> None:
    """They are checked as those outside are."""
    row = {
        "type": "row",
        "id": 9,
        "collapsed": True,
        "panels": _board(stat={})["panels"],
    }
    document = _board() | {"panels": [row]}
    schemas.check_dashboard(document)
    with pytest.raises(AssertionError, match=r"panels\[0\]\.panels\[0\]"):
        schemas.check_dashboard(
            _changed(document, "panels", 0, "panels", 0, "titel", to="")
        )


def test_an_alert_file() -> None:
    """Rules, contact points, policies, and deletions, which an export never has."""
    schemas.check_alert_file(FILE)


@pytest.mark.parametrize("name", ALERTS)
def test_shipped_alert_files(name: str) -> None:
    """The rules, and the examples beside them."""
    text = resources.files("fleetspan_dashboards").joinpath("alerts", name).read_text()
    schemas.check_alert_file(yaml.safe_load(text))


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("apiVersion",), 2, "apiVersion: 1 was expected"),
        (("group",), [], "'group' was unexpected"),
        (("groups", 0, "interval"), "60", "groups[0].interval: '60'"),
        (("groups", 0, "interval"), "60 s", "groups[0].interval: '60 s'"),
        (("groups", 0, "rules", 0, "keep_firing_for"), "5m", "groups[0].rules[0]: "),
        (("groups", 0, "rules", 0, "for"), 300, "groups[0].rules[0].for: 300"),
        (("groups", 0, "rules", 0, "noDataState"), "Ok", "noDataState: 'Ok'"),
        (("groups", 0, "rules", 0, "execErrState"), "NoData", "execErrState: 'NoData'"),
        (("groups", 0, "rules", 0, "labels", "n"), 1, "labels.n: 1 is not of type"),
        (
            ("groups", 0, "rules", 0, "data", 0, "relativeTimeRange"),
            {"from": "10m", "to": 0},
            "relativeTimeRange.from: '10m'",
        ),
        (
            ("groups", 0, "rules", 0, "data", 0),
            {"refId": "A", "model": {}},
            "'datasourceUid' is a required property",
        ),
        (("policies", 0, "group_wait"), 30, "policies[0].group_wait: 30"),
        (
            ("policies", 0, "routes", 0, "object_matchers", 0),
            ["team"],
            "object_matchers[0]: ",
        ),
        (("contactPoints", 0, "receivers", 0, "settings"), "", "settings: ''"),
        (("deleteRules", 0), {"orgId": 1}, "'uid' is a required property"),
    ],
)
def test_a_changed_alert_file_is_refused(
    path: tuple[str | int, ...], value: object, said: str
) -> None:
    """Also where a field has another name here than in the API."""
    with pytest.raises(AssertionError) as refused:
        schemas.check_alert_file(_changed(FILE, *path, to=value))
    assert said in str(refused.value)


def test_bodies_of_the_api() -> None:
    """A rule has other names there than in a file, and says where it belongs."""
    rule: dict[str, Any] = {
        **RULE,
        "keep_firing_for": RULE["keepFiringFor"],
        "orgID": 1,
        "folderUID": "fleetspan",
        "ruleGroup": "fleetspan",
    }
    with pytest.raises(AssertionError, match="'keepFiringFor' was unexpected"):
        schemas.check_api("ProvisionedAlertRule", rule)
    del rule["keepFiringFor"]
    schemas.check_api("ProvisionedAlertRule", rule)
    schemas.check_api(
        "AlertRuleGroup", {"title": "fleetspan", "interval": 60, "rules": [rule]}
    )
    del rule["folderUID"]
    with pytest.raises(AssertionError, match="'folderUID' is a required property"):
        schemas.check_api("ProvisionedAlertRule", rule)
    schemas.check_api("SaveDashboardCommand", {"dashboard": {}, "overwrite": True})
    with pytest.raises(AssertionError, match="'folder' was unexpected"):
        schemas.check_api("SaveDashboardCommand", {"dashboard": {}, "folder": "x"})
    with pytest.raises(KeyError):
        schemas.check_api("SaveDashboard", {})


def test_names_of_bodies() -> None:
    """All that an installer needs, and their parts."""
    assert set(golang.ROOTS) <= set(schemas.names())


@pytest.mark.node
def test_the_schema_of_dashboards_can_be_made_again() -> None:
    """It is what the package in make/package.json says, byte for byte."""
    if shutil.which("npm") is None:
        pytest.skip("needs npm")
    try:
        made = typescript.dashboard()
    except typescript.UnavailableError as error:
        pytest.skip(str(error))
    assert as_text(made) == (schemas.FOLDER / "dashboard.json").read_text()


@pytest.mark.go
def test_the_schemas_of_the_api_can_be_made_again() -> None:
    """They are what the client's structs say, byte for byte."""
    if shutil.which("go") is None:
        pytest.skip("needs Go")
    try:
        made = golang.api()
    except golang.UnavailableError as error:
        pytest.skip(str(error))
    assert as_text(made) == (schemas.FOLDER / "grafana_api.json").read_text()
