"""The dashboards and rules as they are shipped."""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any, Final

_FOLDER: Final = "json"


def names() -> list[str]:
    """Return the names of the dashboards, in order."""
    folder = resources.files("fleetspan_dashboards") / _FOLDER
    return sorted(
        each.name.removesuffix(".json")
        for each in folder.iterdir()
        if each.name.endswith(".json")
    )


def read(name: str) -> str:
    """Return one as JSON.

    Raises:
        FileNotFoundError: When there is none of that name.
    """
    file = resources.files("fleetspan_dashboards") / _FOLDER / f"{name}.json"
    return file.read_text("utf-8")


@functools.cache
def panel_ids(name: str) -> dict[str, int]:
    """Return the ids of a dashboard's panels by their titles."""
    document: dict[str, Any] = json.loads(read(name))
    return {panel["title"]: panel["id"] for panel in document["panels"]}
