"""How a setting is declared: its default, how it is read, and what it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from fleetspan_collector.config import _parsers as parse
from fleetspan_collector.config._addresses import show_store
from fleetspan_collector.store.address import StoreAddress

KIB: Final = 2**10
MIB: Final = 2**20
GIB: Final = 2**30
ENV_PREFIX: Final = "FLEETSPAN_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What is known of one setting besides its default.

    Attributes:
        name: The field of `Settings`, and the key of the TOML file.
        parse: Reads it from text or from a TOML value; raises ``ValueError``.
        about: What it does, with units, in one or two sentences.
        zero: What 0, ``off`` or an empty text means; empty when they are not allowed.
        example: A value that works, for the hint of an error.
        default: How the default is written in the documentation.
        flag: The flag of ``fleetspan up`` that sets it, if there is one.
        secret: Its text may hold a password and is never repeated in an error.
    """

    name: str
    parse: Callable[[object], Any]
    about: str
    zero: str
    example: str
    default: str
    flag: str | None
    secret: bool

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return ENV_PREFIX + self.name.upper()


def setting(
    default: Any,
    read: Callable[[object], Any],
    about: str,
    *,
    zero: str = "",
    example: str = "",
    shown: str = "",
    flag: str | None = None,
    secret: bool = False,
) -> Any:
    """Declare a field whose metadata become a `Setting`."""
    shown = shown or show(default)
    about_it = {
        "parse": read,
        "about": about,
        "zero": zero,
        "example": example or shown,
        "default": shown,
        "flag": flag,
        "secret": secret,
    }
    if callable(default):
        return field(default_factory=default, metadata=about_it)
    return field(default=default, metadata=about_it)


def show(value: object) -> str:
    """Write a value as a user would; passwords are masked."""
    if value is None:
        return "off"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, StoreAddress):
        return show_store(value)
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        if value and isinstance(value[0], tuple):
            return json.dumps(dict(value))
        return ",".join(map(str, value))
    return str(value)


def size(default: int, about: str, *, at_least: int = 0, zero: str = "") -> Any:
    return setting(
        default,
        parse.size(at_least=at_least, zero=bool(zero)),
        about,
        zero=zero,
        shown=parse.show_size(default),
    )
