"""Write the shipped files anew: ``python -m fleetspan_dashboards``."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fleetspan_dashboards import yaml_text
from fleetspan_dashboards.alerts import grafana, prometheus, rules, runbook
from fleetspan_dashboards.boards import BOARDS
from fleetspan_dashboards.grafana import as_json

PACKAGE: Final = Path(__file__).parent


def shipped() -> dict[Path, str]:
    """Return what every shipped file should hold, alert rules after dashboards."""
    found = {
        PACKAGE / "json" / f"{board.name}.json": as_json(board) for board in BOARDS
    }
    return found | shipped_rules()


def shipped_rules() -> dict[Path, str]:
    """Return the files of alert rules; they name panels of the shipped dashboards."""
    every = rules()
    alerts = PACKAGE / "alerts"
    return {
        alerts / "grafana" / "fleetspan.yaml": yaml_text.dump(
            grafana.provisioning(grafana.groups(every))
        ),
        alerts / "prometheus" / "fleetspan.yaml": yaml_text.dump(
            prometheus.document(every)
        ),
        PACKAGE.parent / "RUNBOOK.md": runbook.as_markdown(every),
    }


def main() -> None:
    """Write all of them; dashboards first, whose panels the rules name."""
    for board in BOARDS:
        (PACKAGE / "json" / f"{board.name}.json").write_text(as_json(board), "utf-8")
    for path, text in shipped_rules().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
