"""Installing over the API of a stand-in that holds bodies against Grafana's types, and files."""

from __future__ import annotations

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import fleetspan_dashboards
import pytest
import yaml
from fleetspan_dashboards.alerts import rules
from fleetspan_dashboards.installing import Grafana, GrafanaError

from tests.collector_processor.running import command
from tests.dashboards.fake_grafana import FakeGrafana
from tests.dashboards.schemas import check_alert_file, check_dashboard

UIDS = {f"fleetspan-{name}" for name in fleetspan_dashboards.names()}


@pytest.fixture
def grafana() -> Generator[FakeGrafana]:
    """A Grafana with one data source of the plugin."""
    with FakeGrafana() as grafana:
        grafana.add_datasource("mine")
        yield grafana


def install(grafana: FakeGrafana, *arguments: str, role: str = "glsa_editor") -> Any:
    """Run the command; return how it ended."""
    return command(
        *("dashboards", "install", "--grafana", grafana.url, *arguments),
        FLEETSPAN_GRAFANA_TOKEN=role,
    )


def test_dashboards_and_rules(grafana: FakeGrafana) -> None:
    """All of them, in a folder of their own; again changes nothing but versions."""
    done = install(grafana, "--alerts", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["datasource"] == "mine"
    assert set(grafana.dashboards) == UIDS
    assert set(grafana.folders) == {"fleetspan"}
    assert set(grafana.rules) == {rule.uid for rule in rules()}
    assert all(
        url.startswith(f"{grafana.url}/d/") for url in said["dashboards"].values()
    )
    for rule in grafana.rules.values():
        assert rule["data"][0]["datasourceUid"] == "mine"
        assert rule["folderUID"] == "fleetspan"
        assert "$$" not in json.dumps(rule)
        # So that people can change them in Grafana.
        assert not rule.get("provenance")
    before = {uid: rule["data"] for uid, rule in grafana.rules.items()}
    assert install(grafana, "--alerts").returncode == 0
    assert {uid: rule["data"] for uid, rule in grafana.rules.items()} == before
    assert set(grafana.dashboards) == UIDS


def test_dashboards_alone_need_no_data_source() -> None:
    """Their readers choose one."""
    with FakeGrafana() as grafana:
        done = install(grafana)
        assert done.returncode == 0, done.stderr
        assert set(grafana.dashboards) == UIDS
        assert not grafana.rules
        assert len(done.stdout.splitlines()) == len(UIDS)


def test_under_a_sub_path() -> None:
    """As behind a proxy."""
    with FakeGrafana(sub_path="/grafana") as grafana:
        done = install(grafana, "--json")
        assert done.returncode == 0, done.stderr
        urls = json.loads(done.stdout)["dashboards"].values()
        assert all(url.startswith(f"{grafana.url}/d/") for url in urls)


@pytest.mark.parametrize(
    ("sources", "arguments", "said"),
    [
        ([], (), "none"),
        (["a", "b"], (), "--datasource UID"),
        (["a", "b"], ("--datasource", "c"), "no such data source"),
    ],
)
def test_which_data_source(
    sources: list[str], arguments: tuple[str, ...], said: str
) -> None:
    """One has to be meant, or there is an error that names those there are."""
    with FakeGrafana() as grafana:
        for uid in sources:
            grafana.add_datasource(uid)
        done = install(grafana, "--alerts", *arguments)
        assert done.returncode == 1
        assert said in done.stderr
        assert not grafana.rules


def test_ours_goes_first_and_others_can_be_named() -> None:
    """The uid of our provisioning file, unless told."""
    with FakeGrafana() as grafana:
        for uid in ("fleetspan", "other"):
            grafana.add_datasource(uid)
        grafana.add_datasource("prometheus", kind="prometheus")
        for arguments, uid in (((), "fleetspan"), (("--datasource", "other"), "other")):
            assert install(grafana, "--alerts", *arguments).returncode == 0
            used = {rule["data"][0]["datasourceUid"] for rule in grafana.rules.values()}
            assert used == {uid}


@pytest.mark.parametrize(
    ("token", "said"),
    [("wrong", "does not let us in"), ("glsa_viewer", "does not let us in")],
)
def test_a_token_that_is_not_enough(
    grafana: FakeGrafana, token: str, said: str
) -> None:
    """Says which one is needed; the token is in no message."""
    done = install(grafana, role=token)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Editor" in done.stderr
    assert token not in done.stderr + done.stdout


def test_without_a_token(grafana: FakeGrafana) -> None:
    """Nothing is sent."""
    done = install(grafana, role=" ")
    assert done.returncode == 2
    assert "FLEETSPAN_GRAFANA_TOKEN" in done.stderr
    assert not grafana.requests


def test_the_token_does_not_stop_other_commands() -> None:
    """It stands in the environment, and is no setting of theirs."""
    variables = {"FLEETSPAN_GRAFANA_TOKEN": "glsa_hidden"}
    done = command("config", "show", **variables)
    assert done.returncode == 0, done.stderr
    assert "glsa_hidden" not in done.stdout + done.stderr


def test_one_that_is_too_old() -> None:
    """Its plugin would not show a thing."""
    with FakeGrafana(version="11.5.2") as grafana:
        done = install(grafana)
        assert done.returncode == 1
        assert "11.5.2" in done.stderr
        assert not grafana.dashboards


def test_failures_are_told(grafana: FakeGrafana) -> None:
    """Of Grafana, of a proxy before it, of the network."""
    grafana.fail_next(500)
    done = install(grafana)
    assert done.returncode == 1
    assert "500" in done.stderr
    grafana.fail_next(502, "<html>Bad Gateway</html>")
    assert "502" in install(grafana).stderr
    grafana.fail_next(200, "<html>some other page</html>")
    assert "is not a Grafana" in install(grafana).stderr
    url = grafana.url
    grafana.__exit__()
    with pytest.raises(GrafanaError, match="does not answer"):
        Grafana(url, "glsa_editor").install()
    grafana.__enter__()


def test_into_a_provisioning_folder(tmp_path: Path) -> None:
    """Everything that Grafana reads at its start, under the paths that it sees."""
    folder = tmp_path / "provisioning"
    arguments = (
        "--provisioning",
        str(folder),
        "--seen-as",
        "/etc/grafana/provisioning",
    )
    done = command("dashboards", "install", *arguments, "--alerts", "--json")
    assert done.returncode == 0, done.stderr
    written = {Path(path) for path in json.loads(done.stdout)["files"]}
    assert written == {path for path in folder.rglob("*") if path.is_file()}
    provider = yaml.safe_load((folder / "dashboards" / "fleetspan.yaml").read_text())
    (one,) = provider["providers"]
    assert one["options"]["path"] == "/etc/grafana/provisioning/dashboards/fleetspan"
    check_alert_file(
        yaml.safe_load((folder / "alerting" / "fleetspan.yaml").read_text())
    )
    shown = list((folder / "dashboards" / "fleetspan").glob("*.json"))
    assert len(shown) == len(UIDS)
    for path in shown:
        check_dashboard(json.loads(path.read_text("utf-8")))
    blocked = tmp_path / "file"
    blocked.touch()
    done = command("dashboards", "install", "--provisioning", str(blocked))
    assert done.returncode == 3
    assert "because:" in done.stderr


def test_export(tmp_path: Path) -> None:
    """The files as they are shipped."""
    done = command("dashboards", "export", str(tmp_path / "made"))
    assert done.returncode == 0, done.stderr
    for name in fleetspan_dashboards.names():
        made = (tmp_path / "made" / f"{name}.json").read_text("utf-8")
        assert made == fleetspan_dashboards.read(name)
