"""The SQL of the store: one file per statement, loaded by name.

A file may hold tokens such as ``@database@``; `render` fills them and refuses a
statement in which one is left over. Values come as ClickHouse parameters
(``{name:Type}``) wherever the engine takes them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Final

from fleetspan_collector import dialects

_TOKEN: Final = re.compile(r"@([a-z_]+)@")
_SELECT: Final = re.compile(r"^SELECT(?: DISTINCT)?\n", re.MULTILINE)
_OUTPUT: Final = re.compile(r"(?:\bAS |^    )`?([A-Z][A-Za-z0-9.]*)`?,?$", re.MULTILINE)
_PARTS: Final = (
    "values",
    "point_values",
    "point_columns",
    "exemplars",
    "invocation_parts",
    "origin_columns",
    # Has run_columns in it, so it is put in first.
    "page_run_columns",
    "run_columns",
)
"""Pieces that several statements share: ``@NAME@`` stands for ``sql/_NAME.sql``."""

_COMMENT_LINE: Final = re.compile(r"^\s*--.*$", re.MULTILINE)


@cache
def load(name: str) -> str:
    """The text of ``sql/<name>.sql``, with the parts that it shares with others put in.

    So are the names of the dialects, in the one statement that reads them.

    Raises:
        FileNotFoundError: When there is no such statement.
    """
    folder = resources.files("fleetspan_collector.store") / "sql"
    text = (folder / f"{name}.sql").read_text(encoding="utf-8")
    for name_of_part in _PARTS:
        token = f"@{name_of_part}@"
        if token in text:
            part = (folder / f"_{name_of_part}.sql").read_text(encoding="utf-8")
            text = text.replace(token, part.rstrip())
    if name == "normalise_spans":
        for token_name, value in dialects.tokens().items():
            text = text.replace(f"@{token_name}@", value)
    return text


def fill(text: str, tokens: dict[str, str]) -> str:
    """Put the tokens into a statement.

    Raises:
        KeyError: When the text names a token that was not given.
    """
    return _TOKEN.sub(lambda match: tokens[match.group(1)], text)


def render(name: str, **tokens: str) -> str:
    """A statement, ready to run.

    Raises:
        FileNotFoundError: When there is no such statement.
        KeyError: When it names a token that was not given.
    """
    return fill(load(name), tokens)


@cache
def columns(name: str) -> tuple[str, ...]:
    """The columns that ``sql/<name>.sql`` returns, as its text says.

    Asking the engine would cost a tenth of a second a statement at every start. Holds
    for statements whose output columns begin with a capital and end their line.
    """
    listed = _SELECT.split(load(name), maxsplit=1)[1].split("\nFROM", 1)[0]
    return tuple(_OUTPUT.findall(listed))


def quote(text: str) -> str:
    """A string as the inside of a ClickHouse literal, without the quotes."""
    return text.replace("\\", "\\\\").replace("'", "\\'")


def statements(text: str) -> Iterator[str]:
    """The statements of a migration, without comments; each ends with ``;``."""
    for statement in _COMMENT_LINE.sub("", text).split(";\n"):
        if statement.strip():
            yield statement.strip().rstrip(";")
