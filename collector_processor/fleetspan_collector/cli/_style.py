"""Colours and forms that commands share."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rich.text import Text

STATUS_STYLES: Final = {
    "running": "cyan",
    "ok": "green",
    "error": "red",
    "abandoned": "yellow",
}


def status_text(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, style=STATUS_STYLES.get(status, ""))


def when(time: str | None) -> str:
    """Write an RFC 3339 time in the user's own zone, to the second."""
    if time is None:
        return "?"
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return "?"
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S")
