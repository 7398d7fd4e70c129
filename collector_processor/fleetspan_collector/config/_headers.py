"""Headers that may be secret: sent, and never shown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote

_TOKEN: Final = frozenset(
    "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
)


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers of requests; written as text their values are masked.

    Attributes:
        pairs: Names, in small letters as gRPC wants them, and values.
    """

    pairs: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        """The names alone."""
        return ",".join(f"{name}=***" for name, _ in self.pairs)

    __repr__ = __str__


def read_headers(value: object) -> Headers:
    """Read headers: a table, a JSON object, or ``name=value,name=value`` as OTEL_* has it.

    Raises:
        ValueError: When it is none of these.
    """
    if isinstance(value, str):
        value = _from_text(value)
    if not isinstance(value, dict):
        raise TypeError("expected a table of names and values")
    for name, each in value.items():
        if not name or not set(name) <= _TOKEN:
            raise ValueError("expected names of headers")
        if not isinstance(each, str) or not each.isascii() or not each.isprintable():
            raise ValueError(f"expected printable ASCII as the value of {name}")
    return Headers(tuple((name.lower(), each) for name, each in value.items()))


def _from_text(text: str) -> object:
    if text.lstrip().startswith("{"):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("expected a JSON object of names and values") from None
    pairs = [part.partition("=") for part in text.split(",") if part.strip()]
    if any(not equals for _, equals, _ in pairs):
        raise ValueError("expected name=value, separated by commas")
    return {name.strip(): unquote(value.strip()) for name, _, value in pairs}
