"""Alert rules: as shipped, over real rows, and what makes each one fire."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import fleetspan_dashboards
import promql_parser
import pytest
import yaml
from fleetspan_dashboards.__main__ import shipped_rules
from fleetspan_dashboards.alerts import Rule, grafana, prometheus, rules, runbook
from fleetspan_dashboards.boards import BOARDS
from prometheus_client.parser import text_string_to_metric_families

from tests.collector_processor.chromium import launched, needs_chromium
from tests.collector_processor.running import command
from tests.dashboards.conftest import Fleet
from tests.dashboards.schemas import check_alert_file

RULES: Final = rules()
NAMES: Final = [rule.name for rule in RULES]


@pytest.mark.parametrize(
    "path", sorted(shipped_rules()), ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_shipped_as_written(path: Path) -> None:
    """Byte for byte."""
    assert path.read_text("utf-8") == shipped_rules()[path]


@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_says_what_it_is(rule: Rule) -> None:
    """It names a panel that is there, labels that its query has, and what to do."""
    (board,) = [board for board in BOARDS if board.name == rule.board]
    assert rule.panel in {panel.title for panel in board.panels}
    assert rule.means
    assert rule.todo
    assert rule.window_s > rule.until_s >= 0
    assert rule.for_s % 60 == 0
    named = set(re.findall(r"\$labels\.(\w+)", rule.summary))
    selected = set(re.findall(r"\bAS (\w+)", rule.sql))
    assert named <= selected


def test_uids_are_short_enough_and_unique() -> None:
    """Grafana takes forty characters."""
    uids = [rule.uid for rule in RULES]
    assert len(set(uids)) == len(uids)
    assert max(map(len, uids)) <= 40


def test_the_file_for_grafana() -> None:
    """Dollars are doubled, everything is explicit, every link leads somewhere."""
    path = next(path for path in shipped_rules() if path.parent.name == "grafana")
    text = path.read_text("utf-8")
    assert not re.search(r"(?<!\$)\$(?!\$)", text.replace("$$", ""))
    document = yaml.safe_load(text)
    check_alert_file(document)
    panels = {
        board.uid: {str(place) for place in range(1, len(board.panels) + 1)}
        for board in BOARDS
    }
    found = [rule for group in document["groups"] for rule in group["rules"]]
    assert [rule["uid"] for rule in found] == [rule.uid for rule in RULES]
    for rule in found:
        assert {"for", "keepFiringFor", "noDataState", "execErrState"} <= set(rule)
        notes = rule["annotations"]
        assert notes["__panelId__"] in panels[notes["__dashboardUid__"]]
        assert notes["runbook_url"].partition("#")[2] in NAMES


@pytest.mark.integration
@pytest.mark.parametrize("rule", RULES, ids=NAMES)
def test_a_rule_s_query_runs(fleet: Fleet, rule: Rule) -> None:
    """Text columns and one number: what Grafana takes for one alert per row."""
    found = fleet.ask(rule.sql, hours=rule.window_s / 3600)
    *labels, value = found["meta"]
    assert value["name"] == "value"
    assert value["type"] in {"Float64", "Nullable(Float64)"}
    # Dictionaries of texts are texts to the plugin.
    texts = {"String", "LowCardinality(String)"}
    assert {column["type"] for column in labels} <= texts


@pytest.mark.integration
def test_the_page_that_alerts_link_to(fleet: Fleet) -> None:
    """A collector has it, with a place for every rule."""
    status, headers, body = fleet.collector.request("web", "GET", "/help/alerts")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    page = body.decode()
    assert page == runbook.as_html(RULES)
    assert re.findall(r'<section id="([^"]+)"', page) == NAMES


@needs_chromium
@pytest.mark.browser
@pytest.mark.integration
def test_the_page_in_a_browser(fleet: Fleet) -> None:
    """Its style passes its own content security policy."""
    address = f"http://{fleet.collector.endpoint('web')}/help/alerts#runs-failing"
    said: list[str] = []
    with launched() as browser:
        page = browser.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.goto(address)
        outline = page.locator("#runs-failing").evaluate(
            "element => getComputedStyle(element).outlineStyle"
        )
    assert (said, outline) == ([], "solid")


@pytest.mark.integration
def test_the_expressions_for_prometheus(fleet: Fleet) -> None:
    """They parse, and name metrics and labels that collectors have."""
    served = fleet.collector.request("web", "GET", "/metrics")[2].decode()
    families = {
        sample.name
        for family in text_string_to_metric_families(served)
        for sample in (*family.samples, *_declared(family))
    }
    document = prometheus.document(RULES)
    found = [rule for group in document["groups"] for rule in group["rules"]]
    assert len(found) == sum(bool(rule.promql) for rule in RULES)
    for rule in found:
        promql_parser.parse(rule["expr"])
        for name in re.findall(r"\bfleetspan_\w+", rule["expr"]):
            assert name in families, name


def _declared(family: Any) -> list[Any]:
    """Families with labels have no sample before their first event."""
    suffixes = {"counter": ("_total",), "histogram": ("_count", "_sum")}
    return [
        type("Sample", (), {"name": family.name + suffix})
        for suffix in suffixes.get(family.type, ("",))
    ]


@pytest.mark.parametrize("name", ["contact-point", "policy"])
def test_the_examples(name: str) -> None:
    """What is copied into Grafana's provisioning is what Grafana reads."""
    folder = Path(fleetspan_dashboards.__file__).parent / "alerts" / "examples"
    check_alert_file(yaml.safe_load((folder / f"{name}.yaml").read_text("utf-8")))


def test_bad_budgets_are_refused() -> None:
    """Nothing can be held against them."""
    for wrong in (0, -1, float("nan")):
        with pytest.raises(ValueError, match="more than 0"):
            rules(wrong)


def test_groups_name_the_data_source_they_are_given() -> None:
    """And the runbook."""
    (group, *_) = grafana.groups(RULES, data_source="mine", runbooks="https://wiki/a")
    (rule, *_) = group["rules"]
    assert rule["data"][0]["datasourceUid"] == "mine"
    assert rule["annotations"]["runbook_url"].startswith("https://wiki/a#")


@pytest.mark.integration
def test_alerts_test_says_what_fires(fleet: Fleet) -> None:
    """The demo has loops; nothing of the collector is wrong."""
    done = command("--data", str(fleet.collector.data), "alerts", "test", "--json")
    assert done.returncode == 1, done.stderr
    said = {rule["rule"]: rule for rule in json.loads(done.stdout)["rules"]}
    assert list(said) == NAMES
    loops = said["agents-loop"]
    assert loops["fires"]
    assert {alert["labels"]["detector"] for alert in loops["alerts"]} >= {
        "no_progress_loop"
    }
    for name in NAMES:
        if name.startswith("collector"):
            assert not said[name]["fires"], said[name]
    quiet = ("alerts", "test", "--rule", "collectors-silent")
    done = command("--data", str(fleet.collector.data), *quiet)
    assert done.returncode == 0, done.stdout
    assert "collectors-silent" in done.stdout


def test_a_rule_that_is_not_there(tmp_path: Path) -> None:
    """Is an error of usage that names those that are."""
    done = command("--data", str(tmp_path), "alerts", "test", "--rule", "nothing")
    assert done.returncode == 2
    assert "runs-failing" in done.stderr


@pytest.mark.parametrize("target", ["grafana", "prometheus"])
def test_export(tmp_path: Path, target: str) -> None:
    """To standard output and to a file, with the budget that was asked for."""
    arguments = ("alerts", "export", "--for", target, "--daily-budget", "7")
    shown = command(*arguments)
    assert shown.returncode == 0, shown.stderr
    assert "/ 7" in shown.stdout
    path = tmp_path / "rules.yaml"
    done = command(*arguments[:2], str(path), *arguments[2:])
    assert done.returncode == 0, done.stderr
    assert path.read_text("utf-8") == shown.stdout
    done = command(*arguments[:2], str(tmp_path / "no" / "rules.yaml"))
    assert done.returncode == 2
    assert "because:" in done.stderr
