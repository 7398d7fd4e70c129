"""A folder as Grafana's provisioning reads it at its start."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fleetspan_dashboards import files, yaml_text
from fleetspan_dashboards.alerts import grafana
from fleetspan_dashboards.alerts.rule import Rule


def write_provisioning(
    folder: Path,
    *,
    rules: Iterable[Rule] | None = None,
    data_source: str = grafana.DATA_SOURCE_UID,
    runbooks: str = grafana.RUNBOOKS,
    seen_as: Path | None = None,
) -> list[Path]:
    """Write dashboards, their provider, and alert rules, over what is there of ours.

    Args:
        folder: Grafana's ``provisioning`` folder; made when it is not there.
        rules: Alert rules; ``None`` for none.
        data_source: Uid of the ClickHouse data source that the rules ask.
        runbooks: Address of the runbook.
        seen_as: The same folder as Grafana sees it, in a container for example.

    Returns:
        What was written.

    Raises:
        OSError: When it cannot be written.
    """
    shown = (seen_as or folder.absolute()) / "dashboards" / "fleetspan"
    written = [
        _write(
            folder / "dashboards" / "fleetspan.yaml", yaml_text.dump(_provider(shown))
        )
    ]
    written += [
        _write(
            folder / "dashboards" / "fleetspan" / f"{name}.json",
            files.read(name),
        )
        for name in files.names()
    ]
    if rules is not None:
        groups = grafana.groups(rules, data_source=data_source, runbooks=runbooks)
        written.append(
            _write(
                folder / "alerting" / "fleetspan.yaml",
                yaml_text.dump(grafana.provisioning(groups)),
            )
        )
    return written


def _provider(shown: Path) -> dict[str, Any]:
    return {
        "apiVersion": 1,
        "providers": [
            {
                "name": "fleetspan",
                "orgId": 1,
                "folder": grafana.FOLDER,
                "folderUid": grafana.FOLDER_UID,
                "type": "file",
                "disableDeletion": False,
                "allowUiUpdates": False,
                "options": {"path": str(shown)},
            }
        ],
    }


def _write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path
