"""Asking the store, wherever it is to be had: statements in, Arrow tables out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Protocol

import pyarrow as pa

from fleetspan_collector.store import _sql

EVER_NS: Final = (1 << 63) - 1
"""Later than everything, Unix nanoseconds."""
_FORMAT: Final = "ArrowStream"


class Asks(Protocol):
    """Runs read-only statements; a `Source` of the command is one."""

    def sql(self, query: str, output_format: str) -> Iterator[bytes]:
        """Yield the result of a statement in a ClickHouse format."""
        ...


def ask(source: Asks, name: str, **tokens: str) -> pa.Table:
    """Return the rows of ``store/sql/<name>.sql``."""
    return read(source, _sql.render(name, **tokens))


def read(source: Asks, query: str) -> pa.Table:
    """Return the rows of a statement."""
    answer = b"".join(source.sql(query, _FORMAT))
    return pa.ipc.open_stream(answer).read_all()


def text(value: str) -> str:
    """Write a string as a literal of a statement."""
    return f"'{_sql.quote(value)}'"
