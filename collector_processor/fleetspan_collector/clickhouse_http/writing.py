"""Inserts: rows in any format of the engine, into tables of the store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fleetspan_collector.access import Identity, Scope
from fleetspan_collector.clickhouse_http.connections import (
    Connections,
    ask,
    engine_errors,
)
from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.clickhouse_http.statement import Statement
from fleetspan_collector.store import _sql

_TENANT: Final = "Tenant"
# Which journal record brought a row: only the collector itself says that.
_OWN: Final = ("BatchId", "BatchOrdinal")
_STAGE: Final = "fleetspan_stage"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What an insert did.

    Attributes:
        table: Where rows went.
        rows: How many; 0 where the engine does not say.
    """

    table: str
    rows: int


def insert(
    connections: Connections,
    connection: Any,
    statement: Statement,
    data: Iterator[bytes],
    identity: Identity,
    database: str,
    parameters: Mapping[str, str],
) -> Written:
    """Run an insert.

    Args:
        connections: Knows the tables.
        connection: One that may write.
        statement: The insert.
        data: Its rows; not looked at where it inserts from a query.
        identity: Who inserts: rows become theirs.
        database: Where a table without one is looked for.
        parameters: Values of ``{name:Type}`` in a query that it inserts from.

    Raises:
        ClickHouseFault: When it is not allowed, or the engine refuses it.
    """
    where, table = statement.table[0] or database, statement.table[1]
    if where != connections.database and Scope.ADMIN not in identity.scopes:
        raise ClickHouseFault.of(
            "ACCESS_DENIED", f"Rows go into database {connections.database} alone"
        )
    if where in {"system", "information_schema", "INFORMATION_SCHEMA"}:
        raise ClickHouseFault.of("ACCESS_DENIED", f"Nothing goes into {where}")
    if identity.sees is not None and table not in connections.tables_with_tenants():
        raise ClickHouseFault.of("ACCESS_DENIED", f"The table {table} has no tenants")
    target = f"{_quoted(where)}.{_quoted(table)}"
    available = connections.insertable(where, table)
    if not available:
        # The engine says itself what is wrong with it.
        ask(connection, f"DESCRIBE TABLE {target}")
    if statement.query:
        into = f"INSERT INTO {target} {statement.columns}"
        ask(connection, f"{into} {statement.query}", "Null", parameters)
        return Written(table=table, rows=0)
    if not _has_to_be_staged(identity, statement, available):
        into = f"INSERT INTO {target} {statement.columns}"
        return Written(table=table, rows=_send(connection, into, statement, data))
    return _staged(connection, statement, data, identity, target, table, available)


def _has_to_be_staged(
    identity: Identity, statement: Statement, available: list[str]
) -> bool:
    """Whether rows have to be given their tenant, because they do not bring it."""
    if _TENANT not in available:
        return False
    if identity.sees is not None:
        return True
    names_it = _TENANT in statement.columns or not statement.columns
    return bool(identity.tenant) and not names_it


def _staged(
    connection: Any,
    statement: Statement,
    data: Iterator[bytes],
    identity: Identity,
    target: str,
    table: str,
    available: list[str],
) -> Written:
    """Take rows into a table of this connection alone, and on from there as the tenant's."""
    ask(
        connection,
        f"CREATE TEMPORARY TABLE {_STAGE} AS {target} ENGINE = Memory",
    )
    rows = _send(
        connection, f"INSERT INTO {_STAGE} {statement.columns}", statement, data
    )
    kept = [name for name in available if name not in (_TENANT, *_OWN)]
    listed = ", ".join(_quoted(name) for name in kept)
    ask(
        connection,
        f"INSERT INTO {target} ({listed}, {_TENANT})"
        f" SELECT {listed}, '{_sql.quote(identity.tenant)}' FROM {_STAGE}",
    )
    return Written(table=table, rows=rows)


def _send(
    connection: Any, into: str, statement: Statement, data: Iterator[bytes]
) -> int:
    try:
        with connection.send_insert(into, statement.input_format) as inserter:
            for piece in data:
                if piece:
                    inserter.append(piece)
            done = inserter.finish()
    except engine_errors() as error:
        raise ClickHouseFault.from_engine(error) from None
    return int(getattr(done, "rows_written", 0) or 0)


def _quoted(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
