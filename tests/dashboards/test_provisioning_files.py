"""Files of Grafana's provisioning: data sources and providers of dashboards."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from fleetspan_dashboards.installing import write_provisioning

from tests.dashboards.schemas import check_api

DEPLOY: Final = Path(__file__).parents[2] / "deploy" / "grafana"
# What the file format has beyond the API's body, and a provider's whole
# (pkg/services/provisioning/datasources/types.go, dashboards/types.go).
OF_FILES: Final = frozenset({"orgId", "editable", "version"})
PROVIDER: Final = {
    "name": str,
    "orgId": int,
    "folder": str,
    "folderUid": str,
    "type": str,
    "disableDeletion": bool,
    "editable": bool,
    "updateIntervalSeconds": int,
    "allowUiUpdates": bool,
    "options": dict,
}


def check_data_sources(document: Any) -> None:
    """Refuse what is no file of data sources.

    Raises:
        AssertionError: At the first thing that is wrong.
    """
    assert set(document) <= {"apiVersion", "datasources", "deleteDatasources", "prune"}
    assert document["apiVersion"] == 1
    assert document["datasources"]
    for source in document["datasources"]:
        body = {name: each for name, each in source.items() if name not in OF_FILES}
        check_api("AddDataSourceCommand", body)


def check_providers(document: Any) -> None:
    """Refuse what is no file of providers of dashboards.

    Raises:
        AssertionError: At the first thing that is wrong.
    """
    assert set(document) == {"apiVersion", "providers"}
    assert document["apiVersion"] == 1
    for provider in document["providers"]:
        assert {"name", "type", "options"} <= set(provider) <= set(PROVIDER)
        for name, value in provider.items():
            assert isinstance(value, PROVIDER[name]), name
        assert provider["type"] == "file"
        assert set(provider["options"]) <= {"path", "foldersFromFilesStructure"}


def test_data_sources() -> None:
    """Those that are deployed."""
    text = (DEPLOY / "datasources" / "fleetspan.yaml").read_text("utf-8")
    check_data_sources(yaml.safe_load(text))


@pytest.mark.parametrize("wrong", ["jsondata", "tpye"])
def test_a_misspelt_field_is_seen(wrong: str) -> None:
    """Grafana would pass over it in silence."""
    source = {"name": "a", "type": "b", "access": "proxy", wrong: "c"}
    with pytest.raises(AssertionError):
        check_data_sources({"apiVersion": 1, "datasources": [source]})


def test_providers(tmp_path: Path) -> None:
    """Those that are deployed, and those that are written."""
    write_provisioning(tmp_path)
    for path in (
        DEPLOY / "dashboards" / "fleetspan.yaml",
        tmp_path / "dashboards" / "fleetspan.yaml",
    ):
        check_providers(yaml.safe_load(path.read_text("utf-8")))
