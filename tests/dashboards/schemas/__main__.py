"""Make the schemas again: ``python -m tests.dashboards.schemas``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.dashboards.schemas.make import golang, typescript

FOLDER: Final = Path(__file__).parent


def as_text(schema: dict[str, Any]) -> str:
    """Return a schema as it is kept, the same every time."""
    return json.dumps(schema, indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    (FOLDER / "dashboard.json").write_text(as_text(typescript.dashboard()))
    (FOLDER / "grafana_api.json").write_text(as_text(golang.api()))
