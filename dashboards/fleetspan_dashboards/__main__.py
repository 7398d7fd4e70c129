"""Write the dashboards anew: ``python -m fleetspan_dashboards``."""

from __future__ import annotations

from pathlib import Path

from fleetspan_dashboards.boards import BOARDS
from fleetspan_dashboards.grafana import as_json


def main() -> None:
    """Write one file per dashboard."""
    folder = Path(__file__).with_name("json")
    folder.mkdir(exist_ok=True)
    for board in BOARDS:
        (folder / f"{board.name}.json").write_text(as_json(board), "utf-8")


if __name__ == "__main__":
    main()
