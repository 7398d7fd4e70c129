"""Tables."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.dashboards.preview.values import shown

_MOST_ROWS: Final = 30


def table(
    names: Sequence[str], rows: Sequence[Sequence[Any]], units: Mapping[str, str]
) -> str:
    """Return rows as a table; columns with units are written in them."""
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>"
        + "".join(
            _cell(value, units.get(name, ""))
            for name, value in zip(names, row, strict=True)
        )
        + "</tr>"
        for row in rows[:_MOST_ROWS]
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def _cell(value: Any, unit: str) -> str:
    number = unit or isinstance(value, int | float)
    text = shown(value, unit or "short") if number else str(value)
    kind = ' class="number"' if number else ""
    return f"<td{kind}>{html.escape(text)}</td>"
