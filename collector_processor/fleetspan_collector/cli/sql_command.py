"""``fleetspan sql``."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Annotated, Final

import typer

from fleetspan_collector.cli._invocation import Invocation
from fleetspan_collector.cli._source import open_source
from fleetspan_collector.cli._text import plain_lines

_FORMAT: Final = re.compile(r"\s+FORMAT\s+(?P<format>\w+)\s*;?\s*$", re.IGNORECASE)
"""A format in the statement itself, as ClickHouse's own clients take it."""

Statement = Annotated[
    str, typer.Argument(metavar="STATEMENT", help="A SELECT; - reads standard input.")
]
Format = Annotated[
    str | None,
    typer.Option(
        "--format", "-f", help="Any ClickHouse output format.", metavar="NAME"
    ),
]


def sql(invocation: Invocation, statement: Statement, format_: Format = None) -> None:
    """Run a read-only statement; --json is --format JSON."""
    query = sys.stdin.read() if statement == "-" else statement
    if named := _FORMAT.search(query):
        query, format_ = query[: named.start()], named["format"]
    on_terminal = sys.stdout.isatty()
    preferred = "PrettyCompact" if on_terminal else "TabSeparatedWithNames"
    output_format = format_ or ("JSON" if invocation.json else preferred)
    with open_source(invocation.load().settings) as source:
        _write(source.sql(query, output_format), on_terminal=on_terminal)


def _write(chunks: Iterator[bytes], *, on_terminal: bool) -> None:
    """Write a result: byte for byte into a file or a pipe, harmless on a terminal."""
    if not on_terminal:
        for chunk in chunks:
            sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
        return
    # Whole, because a sequence may lie across two chunks; a person reads it anyway.
    text = b"".join(chunks).decode("utf-8", "replace")
    sys.stdout.write(plain_lines(text))
