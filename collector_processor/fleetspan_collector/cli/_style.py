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

SEVERITY_STYLES: Final = {
    "low": "cyan",
    "medium": "yellow",
    "high": "red",
    "critical": "bold red",
}


def status_text(status: str) -> Text:
    """Return a status in its colour."""
    return Text(status, style=STATUS_STYLES.get(status, ""))


def when(time: str | None, *, short: bool = False) -> str:
    """Write an RFC 3339 time in the user's own zone.

    Args:
        time: The time; ``None`` is ``?``.
        short: Leave out the year and the seconds.
    """
    if time is None:
        return "?"
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return "?"
    return moment.astimezone().strftime("%m-%d %H:%M" if short else "%Y-%m-%d %H:%M:%S")
