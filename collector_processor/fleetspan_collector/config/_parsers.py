"""Readers of one setting's value, from text or from a TOML value.

Each raises `ValueError` or `TypeError` with what was expected; the caller adds which setting it was.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

from fleetspan_collector.config._addresses import Endpoint, parse_store
from fleetspan_collector.store.address import StoreAddress

_UNITS: Final = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


def endpoint(value: object) -> Endpoint | None:
    """Read ``HOST:PORT`` or a port; ``off`` is ``None``."""
    if value is False or (isinstance(value, str) and value.strip().lower() == "off"):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise TypeError("expected HOST:PORT with a port from 0 to 65535, or off")
    return Endpoint.parse(str(value))


def store(value: object) -> StoreAddress:
    """Read the address of a store."""
    return parse_store(text(value))


def directory(value: object) -> Path:
    """Read a path, ``~`` allowed, and make it absolute."""
    if not text(value).strip():
        raise ValueError("expected a path")
    return Path(text(value)).expanduser().absolute()


def optional_file(value: object) -> Path | None:
    """Read a path; an empty text is none."""
    return directory(value) if value != "" else None


def text(value: object) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise TypeError("expected a text in quotes")
    return value


def one_of(*words: str) -> Callable[[object], str]:
    """Make a reader of one of some words."""

    def read(value: object) -> str:
        word = text(value).strip().lower()
        if word not in words:
            raise ValueError("expected one of " + ", ".join(words))
        return word

    return read


def some_of(*words: str) -> Callable[[object], tuple[str, ...]]:
    """Make a reader of some of some words: a list, or a text with commas."""

    def read(value: object) -> tuple[str, ...]:
        given = value if isinstance(value, list) else text(value).split(",")
        chosen = {text(word).strip().lower() for word in given}
        if not chosen or not chosen <= set(words):
            raise ValueError("expected one or more of " + ", ".join(words))
        return tuple(word for word in words if word in chosen)

    return read


def patterns(value: object) -> tuple[tuple[str, str], ...]:
    """Read RE2 expressions by name: a table, or a JSON object as text."""
    # Imported here: commands that only read settings need not wait for it.
    from fleetspan_collector.redact import check_pattern

    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError("expected a JSON object of names and patterns") from None
    if not isinstance(value, dict):
        raise TypeError("expected a table of names and patterns")
    for name, pattern in value.items():
        check_pattern(name, text(pattern))
    return tuple(value.items())


def flag(value: object) -> bool:
    """Read yes or no."""
    word = str(value).strip().lower()
    if isinstance(value, bool | str | int) and word in _TRUE | _FALSE:
        return word in _TRUE
    raise ValueError("expected true or false")


def size(*, at_least: int = 0, zero: bool = False) -> Callable[[object], int]:
    """Make a reader of bytes: a whole number, or one with a unit such as ``16 MiB``.

    Args:
        at_least: The smallest size that works, in bytes.
        zero: Whether 0 is allowed although it is less than ``at_least``.
    """

    def read(value: object) -> int:
        match = _SIZE.fullmatch(str(value).strip())
        if isinstance(value, bool) or not match or match[2].lower() not in _UNITS:
            raise ValueError("expected a size in bytes such as 16777216 or 16 MiB")
        count = int(float(match[1]) * _UNITS[match[2].lower()])
        if count < at_least and not (zero and count == 0):
            allowed = "0 or " if zero else ""
            raise ValueError(f"expected {allowed}at least {show_size(at_least)}")
        return count

    return read


def number(
    *, above: float | None = None, at_least: float = 0.0
) -> Callable[[object], float]:
    """Make a reader of a finite number.

    Args:
        above: The value must be more than this, when given.
        at_least: The value must not be less than this.
    """

    def read(value: object) -> float:
        try:
            number_ = float(value) if isinstance(value, str | int | float) else math.nan
        except ValueError:
            number_ = math.nan
        if isinstance(value, bool) or not math.isfinite(number_):
            raise ValueError("expected a number")
        if above is not None and number_ <= above:
            raise ValueError(f"expected more than {above:g}")
        if number_ < at_least:
            raise ValueError(f"expected at least {at_least:g}")
        return number_

    return read


def whole(*, at_least: int = 0, at_most: int) -> Callable[[object], int]:
    """Make a reader of a whole number in a range, both ends included."""

    def read(value: object) -> int:
        word = str(value).strip()
        if isinstance(value, bool) or not (word.isascii() and word.isdigit()):
            raise ValueError(f"expected a whole number from {at_least} to {at_most}")
        if not at_least <= int(word) <= at_most:
            raise ValueError(f"expected a whole number from {at_least} to {at_most}")
        return int(word)

    return read


def show_size(count: int) -> str:
    """Write a number of bytes with the largest binary unit that divides it."""
    for unit, name in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
        if count and count % unit == 0:
            return f"{count // unit} {name}"
    return f"{count} bytes" if count else "0"


def names(value: object) -> tuple[str, ...]:
    """Read words that commas separate, or a list of them; each is letters, digits, _ and -."""
    parts = value if isinstance(value, list) else text(value).split(",")
    words = tuple(str(part).strip() for part in parts if str(part).strip())
    for word in words:
        if not word.replace("_", "").replace("-", "").isalnum():
            raise ValueError("expected names, separated by commas")
    return words
