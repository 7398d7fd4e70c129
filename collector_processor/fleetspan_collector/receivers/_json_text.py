"""JSON text that the engine can read, and that fits into a row.

The engine takes no invalid UTF-8 and no half of a surrogate pair, of which a client
makes some when it cuts a text in the middle of a character; and one such character
would cost all that the text says.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Any, Final

import orjson

_MAYBE_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_LONE_SURROGATE: Final = re.compile(
    rb"""
    (?<!\\) ((?:\\\\)*)                                    # not an escaped backslash
    \\u (?:
        [dD][89abAB][0-9a-fA-F]{2} (?! \\u[dD][c-fC-F][0-9a-fA-F]{2} )
      | (?<! \\u[dD][89abAB][0-9a-fA-F]{2} \\u ) [dD][c-fC-F][0-9a-fA-F]{2}
    )""",
    re.VERBOSE,
)
_SHOWN_CHARACTERS: Final = (65_536, 4_096, 256)
"""How much of a long string inside of a text too large is shown: as much as fits."""


def readable(text: bytes) -> bytes:
    """Return a text with what cannot be read replaced by U+FFFD; mostly the text."""
    if not text.isascii():
        try:
            text.decode()
        except UnicodeDecodeError:
            text = text.decode(errors="replace").encode()
    if _MAYBE_SURROGATE.search(text):
        text = _LONE_SURROGATE.sub(rb"\1\\ufffd", text)
    return text


def shortened(text: bytes, limit_bytes: int) -> bytes:
    r"""Return what a row shows of a text: itself when it is not too large.

    JSON stays JSON with the same keys, so that what it says besides its long strings is
    not lost. The marker in place of what is cut names the hash of the whole.

    Args:
        text: JSON, or what should be; UTF-8.
        limit_bytes: The most that a row may have; 0 for no limit.

    Returns:
        The text, or a shorter one without ``\n``.
    """
    if not limit_bytes or len(text) <= limit_bytes:
        return text
    digest = sha256(text).hexdigest()
    marker = f"… [{len(text)} bytes, whole in large_values under {digest}]"
    try:
        value = orjson.loads(text)
        for longest in _SHOWN_CHARACTERS:
            made = orjson.dumps(_cut(value, longest, marker))
            if len(made) <= limit_bytes:
                return made
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        pass  # no JSON, or nested beyond all measure: cut as any other text
    head = text[: _SHOWN_CHARACTERS[0]].decode(errors="ignore").replace("\n", " ")
    return (head + marker).encode()


def _cut(value: Any, longest: int, marker: str) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else value[:longest] + marker
    if isinstance(value, dict):
        return {
            key if len(key) <= longest else key[:longest]: _cut(each, longest, marker)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_cut(each, longest, marker) for each in value]
    return value
