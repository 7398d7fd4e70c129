"""A Grafana for tests: its HTTP API, as far as an installer needs it, over real HTTP.

It holds what it is given in memory and refuses what Grafana's schemas refuse, unknown
fields too, which Grafana passes over. What it answers follows Grafana's source
(github.com/grafana/grafana, 11.6 to 13); each method names the file. It is one
organisation, and like Grafana without a licence lets everybody read data sources.
"""

from __future__ import annotations

import base64
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, Self, TypeVar
from urllib.parse import unquote, urlsplit

from tests.dashboards.schemas import check_api, check_dashboard

PLUGIN: Final = "grafana-clickhouse-datasource"
TOKENS: Final[Mapping[str, str]] = {
    "glsa_admin": "Admin",
    "glsa_editor": "Editor",
    "glsa_viewer": "Viewer",
}
USERS: Final[Mapping[str, tuple[str, str]]] = {"admin": ("secret", "Admin")}

_BASE_INTERVAL_S: Final = 10
_ROLES: Final = ("Viewer", "Editor", "Admin")
_UID: Final = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request as it came.

    Attributes:
        path: Without the sub-path and the query.
        headers: By name in lower case.
        body: What its JSON says; ``None`` without one.
        role: Of who sent it; ``""`` when unknown.
        status: What it was answered with.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    body: Any
    role: str
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back; no body when ``None``."""

    status: int = 200
    body: Any = None


class RefusedError(Exception):
    """A request is not done.

    Args:
        status: Of HTTP.
        body: Grafana's words, or the whole body; ``None`` for an empty one.
    """

    def __init__(self, status: int, body: str | dict[str, Any] | None) -> None:
        super().__init__(status, body)
        self.status = status
        self.body = {"message": body} if isinstance(body, str) else body


def _public(status: int, message_id: str, message: str) -> RefusedError:
    """Return an error as pkg/apimachinery/errutil writes it."""
    body = {"message": message, "messageId": message_id, "statusCode": status}
    return RefusedError(status, body | {"traceID": ""})


_RULES: Final = "/api/v1/provisioning/alert-rules"
_RULE: Final = f"{_RULES}/([^/]+)"
_GROUP: Final = "/api/v1/provisioning/folder/([^/]+)/rule-groups/([^/]+)"
_SOURCE: Final = "/api/datasources/uid/([^/]+)"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Route:
    """What does which requests.

    Attributes:
        role: The least that has the permission in a Grafana without a licence
            (pkg/api/accesscontrol.go, pkg/services/ngalert/accesscontrol.go).
        schema: Type of the body; ``""`` for none.
    """

    method: str
    path: str
    role: str
    schema: str
    do: Callable[..., Answer]


_ROUTES: Final[list[_Route]] = []
_Do = TypeVar("_Do", bound=Callable[..., Answer])


def _on(
    method: str, path: str, role: str = "Viewer", schema: str = ""
) -> Callable[[_Do], _Do]:
    """Let a method answer these requests."""

    def add(do: _Do) -> _Do:
        route = _Route(method=method, path=path, role=role, schema=schema, do=do)
        _ROUTES.append(route)
        return do

    return add


@dataclass(slots=True, kw_only=True)
class FakeGrafana:
    """A Grafana that runs while it is entered.

    Attributes:
        version: What it says it is; ``""`` when it hides that.
        plugin: Version of the ClickHouse plugin; ``""`` when that is not installed.
        sub_path: Under which it is, as behind a proxy: elsewhere is no Grafana.
        dashboards: Dashboards by uid, each with `meta` and `dashboard` as answered.
        folders: Folders by uid.
        rules: Alert rules by uid.
        intervals: Seconds between evaluations, by folder and group.
        datasources: Data sources by uid.
        secrets: What is encrypted of each data source.
        provisioned: Uids of dashboards and rules that come from files.
        requests: All that came, in their order.
        url: Where it is, with its sub-path.
    """

    version: str = "13.0.1"
    plugin: str = "4.20.0"
    sub_path: str = ""
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    folders: dict[str, dict[str, Any]] = field(default_factory=dict)
    rules: dict[str, dict[str, Any]] = field(default_factory=dict)
    intervals: dict[tuple[str, str], int] = field(default_factory=dict)
    datasources: dict[str, dict[str, Any]] = field(default_factory=dict)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    provisioned: set[str] = field(default_factory=set)
    requests: list[Request] = field(default_factory=list)
    url: str = field(default="", init=False)
    _failures: list[Answer] = field(default_factory=list, init=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, init=False)
    _server: ThreadingHTTPServer | None = field(default=None, init=False)
    _thread: threading.Thread | None = field(default=None, init=False)
    _ids: int = field(default=0, init=False)

    def __enter__(self) -> Self:
        """Listen on a free port."""
        methods = ("DELETE", "GET", "PATCH", "POST", "PUT")
        takes = {f"do_{method}": _Handler.take for method in methods}
        handler = type("Handler", (_Handler,), {"grafana": self, **takes})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}{self.sub_path}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        assert self._server is not None
        assert self._thread is not None
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def fail_next(self, status: int, body: Any = None, *, times: int = 1) -> None:
        """Answer the next requests with a failure, whatever they ask.

        Args:
            status: Of HTTP.
            body: Its JSON, or text as a proxy's page is; Grafana's words for a failure
                of its own when ``None``.
            times: How many of them.
        """
        answer = Answer(
            status=status, body=body or {"message": "Internal Server Error"}
        )
        self._failures += [answer] * times

    def add_datasource(self, uid: str, name: str = "", kind: str = PLUGIN) -> None:
        """Have a data source, as if somebody had made it by hand."""
        name = name or uid
        command = {"uid": uid, "name": name, "type": kind, "access": "proxy"}
        self._add_datasource(command)

    def answer(
        self, method: str, target: str, headers: Mapping[str, str], raw: bytes
    ) -> Answer:
        """Do what a request asks, one at a time."""
        path = urlsplit(target).path
        with self._lock:
            body: Any = None
            role = ""
            try:
                if not path.startswith(f"{self.sub_path}/"):
                    raise RefusedError(404, None)
                path = path.removeprefix(self.sub_path)
                body = _parsed(raw)
                if self._failures:
                    answer = self._failures.pop(0)
                else:
                    role = _role(headers) if path != "/api/health" else ""
                    answer = self._route(method, path, headers, role, body)
            except RefusedError as refused:
                answer = Answer(status=refused.status, body=refused.body)
            self.requests.append(
                Request(
                    method=method,
                    path=path,
                    headers=headers,
                    body=body,
                    role=role,
                    status=answer.status,
                )
            )
            return answer

    def _route(
        self, method: str, path: str, headers: Mapping[str, str], role: str, body: Any
    ) -> Answer:
        for route in _ROUTES:
            found = re.fullmatch(route.path, path)
            if found is None or route.method != method:
                continue
            if _ROLES.index(role or "Viewer") < _ROLES.index(route.role):
                raise _denied(route.role)
            parts = [unquote(part) for part in found.groups()]
            if route.schema:
                _bound(route.schema, headers, body)
                parts.append(body)
            if "/provisioning/" in path and method != "GET":
                # determineProvenance of pkg/services/ngalert/api/api_provisioning.go:
                # the header counts whatever its value.
                parts.append("" if "x-disable-provenance" in headers else "api")
            return route.do(self, *parts)
        raise RefusedError(404, "Not found")

    def _next_id(self) -> int:
        self._ids += 1
        return self._ids

    @_on("GET", "/api/health")
    def _health(self) -> Answer:
        """Pkg/api/http_server.go, apiHealthHandler: it asks nobody who they are."""
        hidden = {"version": self.version, "commit": "0000000"} if self.version else {}
        return Answer(body={"database": "ok"} | hidden)

    @_on("GET", "/api/frontend/settings")
    def _settings(self) -> Answer:
        """Pkg/api/frontendsettings.go, of which these are a small part."""
        return Answer(
            body={
                "appSubUrl": self.sub_path,
                "buildInfo": {"version": self.version, "edition": "Open Source"},
                "datasources": {
                    source["name"]: {
                        "uid": source["uid"],
                        "type": source["type"],
                        "meta": {"id": PLUGIN, "info": {"version": self.plugin}},
                    }
                    for source in self.datasources.values()
                    if source["type"] == PLUGIN and self.plugin
                },
            }
        )

    @_on("GET", "/api/plugins/([^/]+)/settings")
    def _plugin_settings(self, name: str) -> Answer:
        """Pkg/api/plugins.go, GetPluginSettingByID."""
        if name != PLUGIN or not self.plugin:
            raise RefusedError(
                404, "Plugin not found, no installed plugin with that id"
            )
        return Answer(
            body={
                "id": PLUGIN,
                "name": "ClickHouse",
                "type": "datasource",
                "enabled": False,
                "info": {"version": self.plugin},
                "signature": "valid",
            }
        )

    @_on("GET", "/api/datasources")
    def _list_datasources(self) -> Answer:
        """Pkg/api/datasources.go, GetDataSources: by name, without what is secret."""
        hidden = {"secureJsonFields", "version", "withCredentials", "basicAuthUser"}
        return Answer(
            body=[
                {key: value for key, value in source.items() if key not in hidden}
                | {"typeName": source["type"]}
                for source in sorted(
                    self.datasources.values(), key=lambda it: it["name"]
                )
            ]
        )

    @_on("GET", _SOURCE)
    def _get_datasource(self, uid: str) -> Answer:
        return Answer(body=self._datasource(uid))

    def _datasource(self, uid: str) -> dict[str, Any]:
        if uid not in self.datasources:
            raise RefusedError(404, "Data source not found")
        return self.datasources[uid]

    @_on("POST", "/api/datasources", "Admin", "AddDataSourceCommand")
    def _add_datasource(self, command: dict[str, Any]) -> Answer:
        """Pkg/api/datasources.go, AddDataSource."""
        uid = command.get("uid") or f"source-{self._ids + 1}"
        taken = "data source with the same {} already exists"
        if any(it["name"] == command["name"] for it in self.datasources.values()):
            raise RefusedError(409, taken.format("name"))
        if uid in self.datasources:
            raise RefusedError(409, taken.format("uid"))
        source = self._keep_datasource(uid, self._next_id(), 1, command)
        return _saved("Datasource added", source)

    @_on("PUT", _SOURCE, "Admin", "UpdateDataSourceCommand")
    def _update_datasource(self, uid: str, command: dict[str, Any]) -> Answer:
        """Pkg/api/datasources.go, UpdateDataSourceByUID."""
        before = self._datasource(uid)
        if before["readOnly"]:
            raise RefusedError(403, "Cannot update read-only data source")
        if command.get("version", before["version"]) != before["version"]:
            raise RefusedError(
                409,
                "Datasource has already been updated by someone else. Please reload and "
                "try again",
            )
        version = before["version"] + 1
        source = self._keep_datasource(uid, before["id"], version, command)
        return _saved("Datasource updated", source)

    def _keep_datasource(
        self, uid: str, number: int, version: int, command: dict[str, Any]
    ) -> dict[str, Any]:
        secrets = self.secrets.setdefault(uid, {})
        secrets |= command.get("secureJsonData", {})
        names = ("name", "type", "access", "url", "user", "database", "basicAuthUser")
        flags = ("basicAuth", "withCredentials", "isDefault")
        self.datasources[uid] = {
            "id": number,
            "uid": uid,
            "orgId": 1,
            "typeLogoUrl": "public/img/icn-datasource.svg",
            "jsonData": command.get("jsonData", {}),
            "secureJsonFields": dict.fromkeys(sorted(secrets), True),
            "version": version,
            "readOnly": False,
            **{name: command.get(name, "") for name in names},
            **{flag: command.get(flag, False) for flag in flags},
        }
        return self.datasources[uid]

    @_on("GET", "/api/folders")
    def _list_folders(self) -> Answer:
        """Pkg/api/folder.go, GetFolders."""
        names = ("id", "uid", "title")
        return Answer(
            body=[{name: it[name] for name in names} for it in self.folders.values()]
        )

    @_on("GET", "/api/folders/([^/]+)")
    def _get_folder(self, uid: str) -> Answer:
        return Answer(body=self._folder(uid))

    def _folder(self, uid: str) -> dict[str, Any]:
        if uid not in self.folders:
            raise RefusedError(
                404, {"status": "not-found", "message": "folder not found"}
            )
        return self.folders[uid]

    @_on("POST", "/api/folders", "Editor", "CreateFolderCommand")
    def _add_folder(self, command: dict[str, Any]) -> Answer:
        """Pkg/api/folder.go, CreateFolder: titles may occur twice, uids may not."""
        number = self._next_id()
        uid = command.get("uid") or f"folder-{number}"
        _check_uid(uid)
        if not command.get("title"):
            raise RefusedError(400, "folder title cannot be empty")
        if uid in self.folders or uid in self.dashboards:
            raise RefusedError(
                409, "a folder/dashboard with the same uid already exists"
            )
        title = command["title"]
        rights = ("canAdmin", "canDelete", "canEdit", "canSave")
        self.folders[uid] = {
            "id": number,
            "uid": uid,
            "orgId": 1,
            "title": title,
            "url": f"{self.sub_path}/dashboards/f/{uid}/{_slug(title)}",
            "hasAcl": False,
            **dict.fromkeys(rights, True),
            "createdBy": "Anonymous",
            "created": _now(),
            "updatedBy": "Anonymous",
            "updated": _now(),
            "version": 1,
        }
        return Answer(body=self.folders[uid])

    @_on("PUT", "/api/folders/([^/]+)", "Editor", "UpdateFolderCommand")
    def _update_folder(self, uid: str, command: dict[str, Any]) -> Answer:
        """Pkg/api/folder.go, UpdateFolder."""
        folder = self._folder(uid)
        stale = command.get("version", 0) != folder["version"]
        if stale and not command.get("overwrite"):
            message = "the folder has been changed by someone else"
            raise RefusedError(412, {"status": "version-mismatch", "message": message})
        folder["title"] = command.get("title") or folder["title"]
        folder |= {"version": folder["version"] + 1, "updated": _now()}
        return Answer(body=folder)

    @_on("POST", "/api/dashboards/db", "Editor", "SaveDashboardCommand")
    def _save_dashboard(self, command: dict[str, Any]) -> Answer:
        """Pkg/api/dashboard.go, postDashboard, and ValidateDashboardBeforeSave.

        Grafana takes dashboards that its types do not know; here they are refused.
        """
        document: dict[str, Any] = command["dashboard"]
        title = str(document.get("title", "")).strip()
        if command.get("isFolder"):
            raise RefusedError(400, "Use folders endpoint for saving folders.")
        if not title:
            message = "Dashboard title cannot be empty"
            raise RefusedError(400, {"status": "empty-name", "message": message})
        uid = document.get("uid") or f"dashboard-{self._ids + 1}"
        _check_uid(uid)
        try:
            check_dashboard(document)
        except AssertionError as error:
            raise RefusedError(422, f"the dashboard is not valid: {error}") from error
        folder = command.get("folderUid", "")
        if folder and folder not in self.folders:
            raise RefusedError(400, "folder not found")
        if uid in self.provisioned:
            raise RefusedError(400, "Cannot save provisioned dashboard")
        before = self.dashboards.get(uid)
        number = document.get("id")
        numbers = [it["dashboard"]["id"] for it in self.dashboards.values()]
        if number and number not in numbers:
            message = "Dashboard not found"
            raise RefusedError(404, {"status": "not-found", "message": message})
        version = before["dashboard"]["version"] if before else 0
        stale = before is not None and document.get("version", 0) != version
        if stale and not command.get("overwrite"):
            message = "The dashboard has been changed by someone else"
            raise RefusedError(412, {"status": "version-mismatch", "message": message})
        kept = {
            "id": before["dashboard"]["id"] if before else self._next_id(),
            "uid": uid,
            "version": version + 1,
        }
        slug = _slug(title)
        # GetDashboardURL of pkg/services/dashboards: with the sub-path, without the host.
        url = f"{self.sub_path}/d/{uid}/{slug}"
        self.dashboards[uid] = {
            "dashboard": document | kept,
            "meta": {
                "type": "db",
                "slug": slug,
                "url": url,
                "version": version + 1,
                "folderUid": folder,
                "folderTitle": self.folders[folder]["title"] if folder else "General",
                "provisioned": False,
            },
        }
        return Answer(
            body=kept
            | {"url": url, "slug": slug, "status": "success", "folderUid": folder}
        )

    @_on("GET", "/api/dashboards/uid/([^/]+)")
    def _get_dashboard(self, uid: str) -> Answer:
        """Pkg/api/dashboard.go, GetDashboard."""
        if uid not in self.dashboards:
            raise RefusedError(404, "Dashboard not found")
        return Answer(body=self.dashboards[uid])

    @_on("GET", _RULES)
    def _list_rules(self) -> Answer:
        return Answer(body=list(self.rules.values()))

    @_on("GET", _RULE)
    def _get_rule(self, uid: str) -> Answer:
        """Pkg/services/ngalert/api/api_provisioning.go: nothing is said of a rule's absence."""
        if uid not in self.rules:
            raise RefusedError(404, None)
        return Answer(body=self.rules[uid])

    @_on("POST", _RULES, "Editor", "ProvisionedAlertRule")
    def _add_rule(self, rule: dict[str, Any], provenance: str) -> Answer:
        uid = rule.get("uid") or f"rule-{self._ids + 1}"
        if uid in self.rules:
            message = (
                f"Failed to save alert rule '{uid}' in organization 1 due to conflict: "
                "rule UID under the same organisation should be unique"
            )
            raise _public(409, "alerting.alert-rule.conflict", message)
        self._check_folder(rule["folderUID"])
        _check_rule(rule)
        return Answer(status=201, body=self._keep_rule(uid, rule, provenance))

    @_on("PUT", _RULE, "Editor", "ProvisionedAlertRule")
    def _update_rule(self, uid: str, rule: dict[str, Any], provenance: str) -> Answer:
        self._check_folder(rule["folderUID"])
        if uid not in self.rules:
            raise RefusedError(404, None)
        # More strict than for a group: not from "api" to none either.
        if (stored := self._provenance(uid)) not in {"", provenance}:
            raise _mismatch("update", stored, provenance)
        _check_rule(rule)
        return Answer(body=self._keep_rule(uid, rule, provenance))

    @_on("DELETE", _RULE, "Editor")
    def _delete_rule(self, uid: str, provenance: str) -> Answer:
        if (stored := self._provenance(uid)) not in {"", provenance}:
            raise _mismatch("delete", stored, provenance)
        self.rules.pop(uid, None)
        return Answer(status=204)

    @_on("PUT", _GROUP, "Editor", "AlertRuleGroup")
    def _put_group(
        self, folder: str, group: str, body: dict[str, Any], provenance: str
    ) -> Answer:
        """ReplaceRuleGroup of pkg/services/ngalert/provisioning/alert_rules.go.

        The group's rules are those of the body afterwards, and no others; path and body
        may differ: the path counts. A body without rules changes the interval only.
        """
        interval = body.get("interval", 0)
        if interval <= 0 or interval % _BASE_INTERVAL_S:
            raise RefusedError(
                400,
                f"invalid alert rule: interval ({interval}s) should be non-zero and divided "
                f"exactly by scheduler interval: {_BASE_INTERVAL_S}",
            )
        self._check_folder(folder)
        place = {"folderUID": folder, "ruleGroup": group}
        here = {
            uid for uid, rule in self.rules.items() if place.items() <= rule.items()
        }
        if "rules" in body:
            wanted = {
                rule.get("uid") or f"rule-{self._ids + number}": rule | place
                for number, rule in enumerate(body["rules"], 1)
            }
            gone = here - set(wanted)
            for uid in sorted(gone | (set(wanted) & set(self.rules))):
                stored = self._provenance(uid)
                if stored not in {"", provenance} and (stored, provenance) != (
                    "api",
                    "",
                ):
                    raise _mismatch(
                        "delete" if uid in gone else "update", stored, provenance
                    )
            for rule in wanted.values():
                _check_rule(rule)
            for uid in gone:
                del self.rules[uid]
            for uid, rule in wanted.items():
                self._keep_rule(uid, rule, provenance)
        self.intervals[folder, group] = interval
        return Answer(body=body | {"folderUid": folder, "title": group})

    @_on("GET", _GROUP)
    def _get_group(self, folder: str, group: str) -> Answer:
        place = {"folderUID": folder, "ruleGroup": group}
        rules = [it for it in self.rules.values() if place.items() <= it.items()]
        if not rules:
            raise _public(404, "alerting.alert-rule.notFound", "Not found")
        interval = self.intervals.get((folder, group), 60)
        return Answer(
            body={
                "title": group,
                "folderUid": folder,
                "interval": interval,
                "rules": rules,
            }
        )

    def _keep_rule(
        self, uid: str, rule: dict[str, Any], provenance: str
    ) -> dict[str, Any]:
        before = self.rules.get(uid, {})
        kept = {"isPaused": False, "keep_firing_for": "0s"} | rule
        kept |= {"id": before.get("id") or self._next_id(), "uid": uid, "orgID": 1}
        kept |= {"updated": _now(), "provenance": provenance}
        self.rules[uid] = kept
        return kept

    def _provenance(self, uid: str) -> str:
        if uid in self.provisioned:
            return "file"
        return str(self.rules.get(uid, {}).get("provenance", ""))

    def _check_folder(self, uid: str) -> None:
        if uid not in self.folders:
            raise RefusedError(400, "invalid alert rule: folder does not exist")


def _check_rule(rule: dict[str, Any]) -> None:
    """Refuse what pkg/services/ngalert/models refuses of a rule that has the right form."""
    letters = [query.get("refId", "") for query in rule["data"]]
    if rule["condition"] not in letters:
        raise _public(
            400,
            "alerting.alert-rule.conditionNotExist",
            f"Condition {rule['condition']} does not exist, must be one of [{' '.join(letters)}]",
        )
    for query in rule["data"]:
        span = query.get("relativeTimeRange", {})
        since, until = span.get("from", 0), span.get("to", 0)
        if query.get("datasourceUid") != "__expr__" and since <= until:
            raise _public(
                400,
                "alerting.alert-rule.invalidRelativeTime",
                f"Invalid alert rule query {query.get('refId')}: invalid relative time "
                f"range [From: {since}s, To: {until}s]",
            )


def _mismatch(operation: str, stored: str, provenance: str) -> RefusedError:
    return _public(
        409,
        "alerting.provenanceMismatch",
        f"cannot {operation} with provided provenance '{provenance}', needs '{stored}'",
    )


def _parsed(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise RefusedError(400, "bad request data") from None


def _bound(schema: str, headers: Mapping[str, str], body: Any) -> None:
    """Refuse what pkg/web/binding.go refuses, and fields that there are none of.

    The reason is in ``error``, where Grafana has it in its development mode.
    """
    try:
        kind = headers.get("content-type", "").partition(";")[0]
        assert kind == "application/json", f"bad content type: {kind!r}"
        check_api(schema, body)
    except AssertionError as error:
        refusal = {"message": "bad request data", "error": str(error)}
        raise RefusedError(400, refusal) from error


def _role(headers: Mapping[str, str]) -> str:
    """Return the role of who asks (pkg/services/authn/clients)."""
    kind, _, value = headers.get("authorization", "").partition(" ")
    if kind == "Bearer":
        if value not in TOKENS:
            raise _public(401, "api-key.invalid", "Invalid API key")
        return TOKENS[value]
    if kind == "Basic":
        try:
            name, _, password = base64.b64decode(value).decode().partition(":")
        except ValueError:
            name = password = ""
        if name not in USERS or USERS[name][0] != password:
            message = "Invalid username or password"
            raise _public(401, "password-auth.failed", message)
        return USERS[name][1]
    raise RefusedError(401, "Unauthorized")


def _denied(needed: str) -> RefusedError:
    """Return a refusal as pkg/services/accesscontrol/middleware.go writes it."""
    return RefusedError(
        403,
        {
            "title": "Access denied",
            "message": "You'll need additional permissions to perform this action. "
            f"Permissions needed: those of the role {needed}",
            "accessErrorId": "ACE0000000000",
        },
    )


def _check_uid(uid: str) -> None:
    """Pkg/util/shortid_generator.go."""
    if not _UID.fullmatch(uid):
        raise RefusedError(400, "uid contains illegal characters")
    if len(uid) > 40:
        raise RefusedError(400, "uid too long, max 40 characters")


def _saved(message: str, source: dict[str, Any]) -> Answer:
    return Answer(
        body={
            "message": message,
            "id": source["id"],
            "name": source["name"],
            "datasource": source,
        }
    )


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Handler(BaseHTTPRequestHandler):
    """Takes requests apart and writes answers."""

    grafana: FakeGrafana
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def take(self) -> None:
        """Answer a request, of whatever method."""
        headers = {name.lower(): value for name, value in self.headers.items()}
        raw = self.rfile.read(int(headers.get("content-length", 0)))
        answer = self.grafana.answer(self.command, self.path, headers, raw)
        text = isinstance(answer.body, str)
        body = answer.body if text else json.dumps(answer.body)
        content = b"" if answer.body is None else body.encode()
        self.send_response(answer.status)
        if content:
            kind = "text/html" if text else "application/json"
            self.send_header("Content-Type", f"{kind}; charset=UTF-8")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""
