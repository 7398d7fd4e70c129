"""Statements of snapshots, and their results as Python values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from fleetspan_collector.store import _sql

if TYPE_CHECKING:
    # Commands that only read need no engine, which takes long to import.
    from fleetspan_collector.store._engine import Engine


def table_of(engine: Engine, name: str, **tokens: str) -> pa.Table:
    """Run the statement ``sql/NAME.sql``.

    Raises:
        ClickHouseError: When the store fails.
    """
    database = engine.address.database
    return engine.arrow(_sql.render(name, database=database, **tokens))


def rows_of(engine: Engine, name: str, **tokens: str) -> list[dict[str, Any]]:
    """Run the statement ``sql/NAME.sql``; its rows as `exact_rows` gives them.

    Raises:
        ClickHouseError: When the store fails.
    """
    return exact_rows(table_of(engine, name, **tokens))


def exact_rows(table: pa.Table) -> list[dict[str, Any]]:
    """Rows as Python values; times as Unix nanoseconds, which `datetime` would cut."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            times = table.column(place).cast(pa.timestamp("ns")).cast(pa.int64())
            table = table.set_column(place, field.name, times)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows
