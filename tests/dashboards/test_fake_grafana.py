"""The Grafana of the tests answers as Grafana does."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any, Final

import fleetspan_dashboards
import pytest
import requests

from tests.dashboards.fake_grafana import PLUGIN, FakeGrafana
from tests.dashboards.schemas import check_api
from tests.dashboards.test_schemas import RULE

RULES: Final = "/api/v1/provisioning/alert-rules"
GROUP: Final = "/api/v1/provisioning/folder/fleetspan/rule-groups/runs"


@pytest.fixture
def grafana() -> Generator[FakeGrafana]:
    """One with a data source and a folder."""
    with FakeGrafana() as grafana:
        grafana.add_datasource("clickhouse", "ClickHouse")
        assert _ask(grafana, "POST", "/api/folders", _FOLDER)[0] == 200
        grafana.requests.clear()
        yield grafana


_FOLDER: Final = {"uid": "fleetspan", "title": "Fleetspan"}


def _ask(
    grafana: FakeGrafana,
    method: str,
    path: str,
    body: Any = None,
    *,
    who: str = "admin",
    **headers: str,
) -> tuple[int, Any]:
    """Return the status and the body of an answer; ``None`` where it has none."""
    answer = requests.request(
        method,
        grafana.url + path,
        json=body,
        headers={"authorization": f"Bearer glsa_{who}"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        timeout=10,
    )
    return answer.status_code, answer.json() if answer.content else None


def _rule(**changes: Any) -> dict[str, Any]:
    """Return a rule as the API takes it."""
    rule: dict[str, Any] = RULE | {"orgID": 1}
    rule |= {"folderUID": "fleetspan", "ruleGroup": "runs"}
    rule["keep_firing_for"] = rule.pop("keepFiringFor")
    return rule | changes


def _save(grafana: FakeGrafana, **command: Any) -> tuple[int, Any]:
    board = json.loads(fleetspan_dashboards.read("fleet"))
    board |= command.pop("board", {})
    body = {"dashboard": board, "folderUid": "fleetspan"} | command
    return _ask(grafana, "POST", "/api/dashboards/db", body)


class TestWho:
    """Who may do what."""

    def test_health_is_for_everybody(self, grafana: FakeGrafana) -> None:
        """It says the version, unless that is hidden."""
        answer = requests.get(f"{grafana.url}/api/health", timeout=10)
        check_api("HealthResponse", answer.json())
        assert answer.json()["version"] == "13.0.1"
        grafana.version = ""
        answer = requests.get(f"{grafana.url}/api/health", timeout=10)
        assert answer.json() == {"database": "ok"}

    def test_strangers(self, grafana: FakeGrafana) -> None:
        """They are 401, and why depends on what they show."""
        address = f"{grafana.url}/api/folders"
        nothing = requests.get(address, timeout=10)
        assert (nothing.status_code, nothing.json()) == (
            401,
            {"message": "Unauthorized"},
        )
        status, said = _ask(grafana, "GET", "/api/folders", who="old")
        assert (status, said["messageId"]) == (401, "api-key.invalid")
        check_api("PublicError", {k: v for k, v in said.items() if k != "traceID"})
        wrong = requests.get(address, auth=("admin", "admin"), timeout=10)
        assert wrong.json()["messageId"] == "password-auth.failed"
        assert requests.get(address, auth=("admin", "secret"), timeout=10).ok

    @pytest.mark.parametrize(
        ("who", "method", "path", "status"),
        [
            ("viewer", "GET", "/api/datasources", 200),
            ("viewer", "POST", "/api/folders", 403),
            ("viewer", "PUT", GROUP, 403),
            ("editor", "POST", "/api/datasources", 403),
            ("editor", "POST", "/api/folders", 400),
            ("editor", "GET", "/api/plugins/other/settings", 404),
            ("admin", "GET", "/api/nothing", 404),
            ("admin", "DELETE", "/api/folders", 404),
        ],
    )
    def test_roles(
        self, grafana: FakeGrafana, who: str, method: str, path: str, status: int
    ) -> None:
        """Viewers read, editors write, data sources are made by admins."""
        found, said = _ask(grafana, method, path, who=who)
        assert found == status
        assert status != 403 or said["title"] == "Access denied"


class TestRequests:
    """What holds for every request."""

    @pytest.mark.parametrize(
        ("method", "path", "body", "said"),
        [
            ("POST", "/api/folders", {"name": "x"}, "'name' was unexpected"),
            ("POST", "/api/dashboards/db", {"overwrite": True}, "'dashboard' is a req"),
            (
                "POST",
                "/api/datasources",
                {"name": "x", "type": PLUGIN, "access": "server"},
                "access: 'server' is not one of",
            ),
            ("PUT", GROUP, {"interval": "1m"}, "interval: '1m' is not of type"),
            (
                "PUT",
                GROUP,
                {"interval": 60, "rules": [_rule(keepFiringFor="5m")]},
                "rules[0]: ",
            ),
        ],
    )
    def test_bodies_are_checked(
        self, grafana: FakeGrafana, method: str, path: str, body: Any, said: str
    ) -> None:
        """A field that the API does not have is refused; nothing is kept."""
        status, refusal = _ask(grafana, method, path, body)
        assert (status, refusal["message"]) == (400, "bad request data")
        check_api("ErrorResponseBody", refusal)
        assert said in refusal["error"]
        assert list(grafana.folders) == ["fleetspan"]
        assert not grafana.rules

    def test_a_body_that_does_not_say_it_is_json(self, grafana: FakeGrafana) -> None:
        """It is refused."""
        answer = requests.post(
            f"{grafana.url}/api/folders",
            data=json.dumps(_FOLDER),
            auth=("admin", "secret"),
            timeout=10,
        )
        assert answer.status_code == 400

    def test_they_are_kept(self, grafana: FakeGrafana) -> None:
        """With who sent them and what they were answered."""
        _ask(grafana, "GET", "/api/folders/none?x=1", who="viewer", x_test="1")
        (request,) = grafana.requests
        assert (request.method, request.path) == ("GET", "/api/folders/none")
        assert (request.role, request.status) == ("Viewer", 404)
        assert request.headers["x-test"] == "1"

    def test_failures(self, grafana: FakeGrafana) -> None:
        """As many as asked for, also those of something before Grafana."""
        grafana.fail_next(500)
        grafana.fail_next(502, "<html>Bad Gateway</html>")
        status, said = _ask(grafana, "GET", "/api/folders")
        assert (status, said) == (500, {"message": "Internal Server Error"})
        answer = requests.get(f"{grafana.url}/api/health", timeout=10)
        assert (answer.status_code, answer.text) == (502, "<html>Bad Gateway</html>")
        assert _ask(grafana, "GET", "/api/folders")[0] == 200

    def test_under_a_sub_path(self) -> None:
        """It is nowhere else, and the addresses it answers have the sub-path in them."""
        with FakeGrafana(sub_path="/grafana") as grafana:
            assert grafana.url.endswith("/grafana")
            root = grafana.url.removesuffix("/grafana")
            assert requests.get(f"{root}/api/health", timeout=10).status_code == 404
            _ask(grafana, "POST", "/api/folders", _FOLDER)
            _, saved = _save(grafana)
            assert saved["url"] == "/grafana/d/fleetspan-fleet/fleetspan-fleet"


class TestDataSources:
    """Made by name and uid, both once."""

    BODY: Final = {
        "uid": "fleetspan",
        "name": "Fleetspan",
        "type": PLUGIN,
        "access": "proxy",
        "jsonData": {"host": "localhost", "port": 8123, "protocol": "http"},
        "secureJsonData": {"password": "secret"},
    }

    def test_one(self, grafana: FakeGrafana) -> None:
        """What is secret is kept, and never answered."""
        status, made = _ask(grafana, "POST", "/api/datasources", self.BODY)
        assert (status, made["message"]) == (200, "Datasource added")
        check_api("AddDataSourceOKBody", made)
        assert made["datasource"]["secureJsonFields"] == {"password": True}
        assert grafana.secrets["fleetspan"] == {"password": "secret"}
        _, found = _ask(grafana, "GET", "/api/datasources")
        assert [it["uid"] for it in found] == ["clickhouse", "fleetspan"]
        for it in found:
            check_api("DataSourceListItemDTO", it)
        changed = self.BODY | {"url": "http://x", "version": 1}
        status, made = _ask(grafana, "PUT", "/api/datasources/uid/fleetspan", changed)
        check_api("UpdateDataSourceByUIDOKBody", made)
        assert (status, made["datasource"]["version"]) == (200, 2)
        status, _ = _ask(grafana, "PUT", "/api/datasources/uid/fleetspan", changed)
        assert status == 409
        _, found = _ask(grafana, "GET", "/api/datasources/uid/fleetspan")
        check_api("DataSource", found)
        assert found["url"] == "http://x"

    def test_taken(self, grafana: FakeGrafana) -> None:
        """A name and a uid are there once; one that is absent is not changed."""
        for body in (
            self.BODY | {"uid": "clickhouse"},
            self.BODY | {"name": "ClickHouse"},
        ):
            assert _ask(grafana, "POST", "/api/datasources", body)[0] == 409
        path = "/api/datasources/uid/none"
        assert _ask(grafana, "PUT", path, self.BODY)[0] == 404
        assert _ask(grafana, "GET", path) == (404, {"message": "Data source not found"})

    def test_the_plugin(self, grafana: FakeGrafana) -> None:
        """Its version is known in two places, if it is there."""
        path = f"/api/plugins/{PLUGIN}/settings"
        assert _ask(grafana, "GET", path)[1]["info"]["version"] == "4.20.0"
        _, settings = _ask(grafana, "GET", "/api/frontend/settings")
        source = settings["datasources"]["ClickHouse"]
        assert source["meta"]["info"]["version"] == "4.20.0"
        grafana.plugin = ""
        assert _ask(grafana, "GET", path)[0] == 404


class TestFolders:
    """Made by uid."""

    def test_one(self, grafana: FakeGrafana) -> None:
        """It is there once, and changed by who knows its version."""
        path = "/api/folders/fleetspan"
        status, found = _ask(grafana, "GET", path)
        check_api("Folder", found)
        assert (status, found["title"]) == (200, "Fleetspan")
        assert _ask(grafana, "POST", "/api/folders", _FOLDER)[0] == 409
        assert _ask(grafana, "POST", "/api/folders", {"title": ""})[0] == 400
        assert _ask(grafana, "PUT", path, {"title": "New", "version": 1})[0] == 200
        status, said = _ask(grafana, "PUT", path, {"title": "Old", "version": 1})
        assert (status, said["status"]) == (412, "version-mismatch")
        status, _ = _ask(grafana, "PUT", path, {"title": "Mine", "overwrite": True})
        assert (status, grafana.folders["fleetspan"]["title"]) == (200, "Mine")
        for hit in _ask(grafana, "GET", "/api/folders")[1]:
            check_api("FolderSearchHit", hit)
        status, said = _ask(grafana, "GET", "/api/folders/none")
        assert (status, said["status"]) == (404, "not-found")


class TestDashboards:
    """Saved by uid."""

    def test_one(self, grafana: FakeGrafana) -> None:
        """The answer says where it is; each time it is saved is a version."""
        status, saved = _save(grafana)
        check_api("PostDashboardOKBody", saved)
        assert status == 200
        assert saved == {
            "id": saved["id"],
            "uid": "fleetspan-fleet",
            "url": "/d/fleetspan-fleet/fleetspan-fleet",
            "slug": "fleetspan-fleet",
            "version": 1,
            "status": "success",
            "folderUid": "fleetspan",
        }
        _, found = _ask(grafana, "GET", "/api/dashboards/uid/fleetspan-fleet")
        check_api("DashboardFullWithMeta", found)
        assert found["meta"]["folderTitle"] == "Fleetspan"
        assert found["dashboard"]["title"] == "Fleetspan / Fleet"
        assert _save(grafana, overwrite=True)[1]["version"] == 2
        assert list(grafana.dashboards) == ["fleetspan-fleet"]

    def test_somebody_changed_it(self, grafana: FakeGrafana) -> None:
        """It is not saved without its version, or without being told to."""
        _save(grafana)
        status, said = _save(grafana)
        assert (status, said["status"]) == (412, "version-mismatch")
        check_api("ErrorResponseBody", said)
        assert _save(grafana, board={"version": 1})[1]["version"] == 2

    @pytest.mark.parametrize(
        ("command", "status", "said"),
        [
            ({"folderUid": "none"}, 400, "folder not found"),
            ({"isFolder": True}, 400, "Use folders endpoint for saving folders."),
            ({"board": {"title": " "}}, 400, "Dashboard title cannot be empty"),
            ({"board": {"uid": "a/b"}}, 400, "uid contains illegal characters"),
            ({"board": {"uid": "a" * 41}}, 400, "uid too long, max 40 characters"),
            ({"board": {"id": 99}}, 404, "Dashboard not found"),
            ({"board": {"panels": [{}]}}, 422, "the dashboard is not valid: panels[0]"),
            ({"board": {"uid": "file"}}, 400, "Cannot save provisioned dashboard"),
        ],
    )
    def test_refused(
        self, grafana: FakeGrafana, command: dict[str, Any], status: int, said: str
    ) -> None:
        """With Grafana's words; nothing is kept."""
        grafana.provisioned.add("file")
        found, refusal = _save(grafana, **command)
        assert found == status
        assert refusal["message"].startswith(said)
        assert not grafana.dashboards


class TestRules:
    """Alone and in groups."""

    def test_one(self, grafana: FakeGrafana) -> None:
        """It comes back with what it did not say."""
        status, made = _ask(grafana, "POST", RULES, _rule())
        check_api("ProvisionedAlertRule", made)
        assert (status, made["provenance"]) == (201, "api")
        path = f"{RULES}/fleetspan-failing"
        assert _ask(grafana, "GET", path) == (200, made)
        assert _ask(grafana, "GET", RULES) == (200, [made])
        status, changed = _ask(grafana, "PUT", path, _rule(title="Other"))
        assert (status, changed["title"], changed["id"]) == (200, "Other", made["id"])
        status, said = _ask(grafana, "POST", RULES, _rule())
        assert (status, said["messageId"]) == (409, "alerting.alert-rule.conflict")
        assert _ask(grafana, "DELETE", path) == (204, None)
        # What is gone is deleted once more.
        assert _ask(grafana, "DELETE", path) == (204, None)
        assert _ask(grafana, "GET", path) == (404, None)
        assert _ask(grafana, "PUT", path, _rule()) == (404, None)

    def test_a_group_is_what_was_put(self, grafana: FakeGrafana) -> None:
        """Rules that it no longer has are gone; without rules only its interval changes."""
        rules = [_rule(uid="a"), _rule(uid="b")]
        body = {"interval": 60, "rules": rules}
        status, said = _ask(grafana, "PUT", GROUP, body, x_disable_provenance="true")
        check_api("AlertRuleGroup", said)
        assert (status, said["title"], sorted(grafana.rules)) == (
            200,
            "runs",
            ["a", "b"],
        )
        assert {it["provenance"] for it in grafana.rules.values()} == {""}
        assert (
            _ask(grafana, "PUT", GROUP, {"interval": 60, "rules": rules[:1]})[0] == 200
        )
        assert list(grafana.rules) == ["a"]
        assert _ask(grafana, "PUT", GROUP, {"interval": 120})[0] == 200
        _, found = _ask(grafana, "GET", GROUP)
        assert (found["interval"], len(found["rules"])) == (120, 1)
        check_api("AlertRuleGroup", found)

    def test_provenance(self, grafana: FakeGrafana) -> None:
        """A rule of a file is not changed; one of the API by a group, not alone."""
        body = {"interval": 60, "rules": [_rule()]}
        path = f"{RULES}/fleetspan-failing"
        assert _ask(grafana, "PUT", GROUP, body)[0] == 200
        for method, at, sent in (("PUT", path, _rule()), ("DELETE", path, None)):
            status, said = _ask(grafana, method, at, sent, x_disable_provenance="")
            assert (status, said["messageId"]) == (409, "alerting.provenanceMismatch")
        assert _ask(grafana, "PUT", GROUP, body, x_disable_provenance="false")[0] == 200
        assert grafana.rules["fleetspan-failing"]["provenance"] == ""
        grafana.provisioned.add("fleetspan-failing")
        status, said = _ask(grafana, "PUT", GROUP, body)
        assert status == 409
        expected = "cannot update with provided provenance 'api', needs 'file'"
        assert said["message"] == expected

    @pytest.mark.parametrize(
        ("rule", "said"),
        [
            ({"condition": "Z"}, "Condition Z does not exist, must be one of [A B]"),
            (
                {
                    "data": [
                        {
                            "refId": "B",
                            "datasourceUid": "clickhouse",
                            "relativeTimeRange": {"from": 60, "to": 60},
                            "model": {},
                        }
                    ]
                },
                "Invalid alert rule query B: invalid relative time range",
            ),
        ],
    )
    def test_refused(
        self, grafana: FakeGrafana, rule: dict[str, Any], said: str
    ) -> None:
        """Alone and in a group; nothing is kept."""
        for method, path, body in (
            ("POST", RULES, _rule(**rule)),
            ("PUT", GROUP, {"interval": 60, "rules": [_rule(uid="a"), _rule(**rule)]}),
        ):
            status, refusal = _ask(grafana, method, path, body)
            assert status == 400
            assert refusal["message"].startswith(said)
        assert not grafana.rules

    def test_where_it_belongs(self, grafana: FakeGrafana) -> None:
        """The folder is there, and the interval is of whole evaluations."""
        status, said = _ask(grafana, "POST", RULES, _rule(folderUID="none"))
        assert status == 400
        assert said["message"] == "invalid alert rule: folder does not exist"
        status, said = _ask(grafana, "PUT", GROUP, {"interval": 65, "rules": []})
        assert status == 400
        assert "divided exactly by scheduler interval: 10" in said["message"]
