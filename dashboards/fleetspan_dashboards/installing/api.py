"""Dashboards and rules over Grafana's HTTP API.

What is called: folders, ``/api/dashboards/db``, data sources, and the provisioning API of
alert rules (with ``X-Disable-Provenance``, so that rules can be changed in Grafana).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote, urljoin

import requests

from fleetspan_dashboards import files
from fleetspan_dashboards.alerts import grafana
from fleetspan_dashboards.alerts.rule import Rule

PLUGIN: Final = "grafana-clickhouse-datasource"
OLDEST: Final = (11, 6)
"""The first Grafana that the plugin's present versions run in."""
_TIMEOUT_S: Final = 30.0
_ORGANISATION: Final = 1


class GrafanaError(Exception):
    """Grafana did not do what it was asked.

    Attributes:
        because: Why, as far as is known.
        suggestion: What to try.
    """

    def __init__(self, error: str, because: str, suggestion: str) -> None:
        super().__init__(error)
        self.because = because
        self.suggestion = suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """What is in Grafana now.

    Attributes:
        version: Of Grafana.
        data_source: Uid of the data source that the rules ask; ``""`` without rules.
        dashboards: Addresses by names.
        groups: Names of the groups of rules.
    """

    version: str
    data_source: str
    dashboards: Mapping[str, str]
    groups: tuple[str, ...]


class Grafana:
    """A Grafana.

    Args:
        url: Where it is, with its sub-path if it has one.
        token: Token of a service account with the role Editor, or Admin where a data
            source is to be made.
    """

    def __init__(self, url: str, token: str) -> None:
        self._url = url.rstrip("/")
        self._session = requests.Session()
        # Not the environment's .netrc and proxies: they are not for this address.
        self._session.trust_env = False
        self._session.headers["authorization"] = f"Bearer {token}"

    def close(self) -> None:
        """Close its connections."""
        self._session.close()

    def install(
        self,
        *,
        rules: Iterable[Rule] | None = None,
        data_source: str = "",
        runbooks: str = grafana.RUNBOOKS,
    ) -> Installed:
        """Bring in the dashboards, and rules when there are any; again changes nothing.

        Args:
            rules: Alert rules; ``None`` for none.
            data_source: Uid of the ClickHouse data source; the only one there is unless
                told.
            runbooks: Address of the runbook.

        Raises:
            GrafanaError: When something is refused; what was brought in before stays.
        """
        version = self._version()
        # Dashboards let their readers choose; rules name one.
        source = self._data_source(data_source) if rules is not None else ""
        self._folder()
        dashboards = {name: self._dashboard(name) for name in files.names()}
        groups = grafana.groups(
            rules if rules is not None else (), data_source=source, runbooks=runbooks
        )
        for group in groups:
            self._group(group)
        return Installed(
            version=version,
            data_source=source,
            dashboards=dashboards,
            groups=tuple(group["name"] for group in groups),
        )

    def _version(self) -> str:
        version = str(self._ask("GET", "/api/health").get("version", ""))
        numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
        # Without a version it is a Grafana that hides it.
        if numbers and numbers < OLDEST:
            raise GrafanaError(
                f"Grafana at {self._url} is too old",
                f"it is {version}; the ClickHouse plugin needs 11.6 or later",
                "upgrade Grafana",
            )
        return version

    def _data_source(self, wanted: str) -> str:
        """Return the uid of the ClickHouse data source."""
        found = self._ask("GET", "/api/datasources")
        sources = [each for each in found if each.get("type") == PLUGIN]
        uids = [str(each["uid"]) for each in sources]
        if wanted in uids:
            return wanted
        if not wanted and grafana.DATA_SOURCE_UID in uids:
            return grafana.DATA_SOURCE_UID
        if not wanted and len(uids) == 1:
            return uids[0]
        known = ", ".join(f"{each['uid']} ({each['name']})" for each in sources)
        raise GrafanaError(
            "which data source the rules ask is not clear"
            if sources and not wanted
            else "Grafana has no such data source",
            f"data sources of the ClickHouse plugin: {known or 'none'}",
            "fleetspan dashboards install --datasource UID"
            if sources
            else "add one of the plugin grafana-clickhouse-datasource; dashboards/README.md "
            "says how",
        )

    def _folder(self) -> None:
        path = f"/api/folders/{grafana.FOLDER_UID}"
        if self._ask("GET", path, absent_is_fine=True) is None:
            body = {"uid": grafana.FOLDER_UID, "title": grafana.FOLDER}
            self._ask("POST", "/api/folders", body)

    def _dashboard(self, name: str) -> str:
        body = {
            "dashboard": json.loads(files.read(name)),
            "folderUid": grafana.FOLDER_UID,
            "message": "fleetspan dashboards install",
            "overwrite": True,
        }
        answer = self._ask("POST", "/api/dashboards/db", body)
        # The sub-path is in it already.
        return urljoin(self._url, str(answer.get("url", "")))

    def _group(self, group: Mapping[str, Any]) -> None:
        name = str(group["name"])
        body = {
            "title": name,
            "folderUid": grafana.FOLDER_UID,
            "interval": int(str(group["interval"]).removesuffix("s")),
            "rules": [_over_api(rule, name) for rule in group["rules"]],
        }
        path = (
            f"/api/v1/provisioning/folder/{grafana.FOLDER_UID}"
            f"/rule-groups/{quote(name, safe='')}"
        )
        self._ask("PUT", path, body)

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        absent_is_fine: bool = False,
    ) -> Any:
        try:
            answer = self._session.request(
                method,
                self._url + path,
                json=body,
                headers={"x-disable-provenance": "true"},
                timeout=_TIMEOUT_S,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise GrafanaError(
                f"Grafana at {self._url} does not answer",
                str(error),
                "look at the address; it has to be reachable from here",
            ) from error
        if answer.status_code == 404 and absent_is_fine:
            return None
        if not answer.ok or answer.is_redirect:
            raise self._refusal(method, path, answer)
        try:
            return answer.json()
        except ValueError:
            raise GrafanaError(
                f"{self._url} is not a Grafana",
                f"{method} {path} was answered with something that is not JSON",
                "look at the address",
            ) from None

    def _refusal(
        self, method: str, path: str, answer: requests.Response
    ) -> GrafanaError:
        try:
            said = str(answer.json().get("message", ""))
        except (ValueError, AttributeError):
            said = answer.text[:200]
        because = f"{method} {path} was answered {answer.status_code}: {said}"
        if answer.status_code in {401, 403}:
            return GrafanaError(
                f"Grafana at {self._url} does not let us in",
                because,
                "a token of a service account with the role Editor, in "
                "FLEETSPAN_GRAFANA_TOKEN",
            )
        return GrafanaError(
            f"Grafana at {self._url} refused something",
            because,
            "fleetspan dashboards export DIR, and import the files by hand",
        )


def _over_api(rule: Mapping[str, Any], group: str) -> dict[str, Any]:
    """Return a rule of a provisioning file as the API takes it: some names differ."""
    changed = {**rule}
    changed["keep_firing_for"] = changed.pop("keepFiringFor")
    return changed | {
        "orgID": _ORGANISATION,
        "folderUID": grafana.FOLDER_UID,
        "ruleGroup": group,
    }
