"""The dashboards as they are shipped."""

from __future__ import annotations

from importlib import resources
from typing import Final

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
