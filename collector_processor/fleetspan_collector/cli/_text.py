"""Text from telemetry, made harmless for a terminal; numbers, made readable."""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls and DEL drive a terminal; the bidirectional and zero-width controls
# can make a line read as something else.
_CONTROLS: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]"
)
_JSON_UNSAFE: Final = re.compile("[\x7f-\x9f\ud800-\udfff]")
_CONTROLS_BUT_LAYOUT: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")
# The engine colours its pretty formats; names that come from telemetry may, too.
_COLOURS: Final = re.compile("\x1b\\[[0-9;]*m")


def plain(text: str) -> str:
    """Replace every control character by U+FFFD; line breaks and tabs by a space."""
    text = text.replace("\r\n", " ").replace("\n", " ").replace("\t", " ")
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text)


def plain_lines(text: str) -> str:
    """Drop colours and replace other control characters; keep line breaks and tabs."""
    text = _COLOURS.sub("", text)
    return _CONTROLS_BUT_LAYOUT.sub("\N{REPLACEMENT CHARACTER}", text)


def plain_json(document: str) -> str:
    """Escape what JSON allows raw in a string and a terminal would obey."""
    return _JSON_UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", document)


def count(number: int | None) -> str:
    """Write a number in three figures or so: ``950``, ``12.3k``, ``4.56M``."""
    if number is None:
        return "?"
    for unit, name in ((10**9, "G"), (10**6, "M"), (10**3, "k")):
        if number >= unit:
            return (
                f"{number / unit:.3g}{name}"
                if number < 999.5 * unit
                else f"{number // unit}{name}"
            )
    return str(number)


def usd(amount: float | None) -> str:
    """Write a cost in US dollars; unknown is ``?``, never 0."""
    if amount is None:
        return "?"
    return f"${amount:.4f}" if 0 < amount < 0.1 else f"${amount:,.2f}"


def duration(seconds: float | None) -> str:
    """Write seconds as ``340ms``, ``12.3s``, ``4m05s``, ``2h03m`` or ``3d04h``."""
    if seconds is None:
        return "?"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 59.95:
        return f"{seconds:.1f}s"
    minutes, rest_s = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes}m{rest_s:02d}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02d}m"
    return f"{hours // 24}d{hours % 24:02d}h"
