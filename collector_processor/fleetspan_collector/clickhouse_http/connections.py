"""Connections to the embedded engine for statements of others: each its own, then gone.

A connection carries the settings of one statement and is closed behind it, so that
nothing of one client reaches another. Opening one takes a millisecond.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Generator, Mapping
from typing import Any, Final

from fleetspan_collector.clickhouse_http.faults import ClickHouseFault
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store._only_reads import refusal

_MARK: Final = "log_comment"


class Connections:
    """Opens connections, and ends what runs on them.

    Args:
        engine: A connection to the embedded store.
    """

    def __init__(self, engine: Engine) -> None:
        if engine.address.path is None:
            raise ValueError("only the embedded engine is served")
        self._path = str(engine.address.path)
        self._own = engine.another()
        self._lock = threading.Lock()
        self.database = engine.address.database
        self.version = str(self._own.command("SELECT version()"))
        self.timezone = str(self._own.command("SELECT timezone()"))
        self.known_settings: Mapping[str, str] = dict(
            zip(
                *(
                    self._own.arrow("SELECT name, default FROM system.settings")[
                        column
                    ].to_pylist()
                    for column in ("name", "default")
                ),
                strict=True,
            )
        )
        self.own_tables = frozenset(
            str(name)
            for name in self._own.arrow(
                "SELECT name FROM system.tables WHERE database = {database:String}",
                {"database": self.database},
            )["name"].to_pylist()
        )
        self._tenants: dict[str, str] = {}

    @contextlib.contextmanager
    def reading(
        self, settings: Mapping[str, str], mark: str, database: str, sees: str | None
    ) -> Generator[Any]:
        """Open a connection that can only read.

        Args:
            settings: Of the statement, checked already.
            mark: Names what runs on it, for `end`.
            database: Where names without one are looked for.
            sees: Whose rows alone; ``None`` for everybody's.

        Raises:
            ClickHouseFault: When the engine refuses it.
        """
        own = dict(settings)
        if sees is not None:
            own["additional_table_filters"] = self._only_of(sees)
        own.setdefault("do_not_merge_across_partitions_select_final", "1")
        own.setdefault("optimize_move_to_prewhere_if_final", "1")
        with self.writing(own, mark, database) as connection:
            # Last, because nothing can be set after it.
            ask(connection, "SET readonly = 1")
            yield connection

    @contextlib.contextmanager
    def writing(
        self, settings: Mapping[str, str], mark: str, database: str
    ) -> Generator[Any]:
        """Open a connection that may do anything."""
        connection = _chdb().connect(self._path)
        try:
            quoted = {**settings, _MARK: mark, "async_insert": "0"}
            ask(
                connection,
                "SET "
                + ", ".join(
                    f"{name} = '{_sql.quote(v)}'" for name, v in quoted.items()
                ),
            )
            ask(connection, f"USE `{database.replace('`', '``')}`")
            yield connection
        finally:
            connection.close()

    def end(self, mark: str) -> None:
        """End whatever runs under a mark, without waiting for it."""
        with self._lock:
            self._own.command(
                "KILL QUERY WHERE Settings['log_comment'] = {mark:String} ASYNC",
                {"mark": mark},
            )

    def tables_with_tenants(self) -> frozenset[str]:
        """Return the tables of the store that have tenants, and the views over them."""
        with self._lock:
            return self._own.tables_with_tenants()

    def has_database(self, name: str) -> bool:
        """Tell whether there is a database."""
        with self._lock:
            found = self._own.arrow(
                "SELECT 1 FROM system.databases WHERE name = {name:String}",
                {"name": name},
            )
        return bool(found.num_rows)

    def insertable(self, database: str, table: str) -> list[str]:
        """Return the columns of a table that rows may bring; none for no table."""
        with self._lock:
            found = self._own.arrow(
                "SELECT name FROM system.columns WHERE database = {database:String}"
                " AND table = {table:String} AND default_kind NOT IN ('ALIAS', 'MATERIALIZED')"
                " ORDER BY position",
                {"database": database, "table": table},
            )
        return [str(name) for name in found["name"].to_pylist()]

    def close(self) -> None:
        """Let go of what this object holds."""
        self._own.close()

    def _only_of(self, tenant: str) -> str:
        with self._lock:
            held = self._tenants.get(tenant)
            if held is None:
                held = self._tenants[tenant] = self._own.condition_of_tenant(tenant)
            return held


def engine_errors() -> tuple[type[Exception], ...]:
    """Return what the engine raises."""
    return RuntimeError, _chdb().ChdbError


def _chdb() -> Any:
    # Importing it starts threads: a process that forks afterwards cannot use it.
    return importlib.import_module("chdb")


def ask(
    connection: Any,
    statement: str,
    output_format: str = "Null",
    parameters: Mapping[str, str] | None = None,
) -> bytes:
    """Run a statement and return its whole result.

    Raises:
        ClickHouseFault: When the engine refuses it.
    """
    try:
        result = connection.query(
            statement, output_format, params=dict(parameters or {})
        )
    except engine_errors() as error:
        raise ClickHouseFault.from_engine(error) from None
    found: bytes = result.bytes() if hasattr(result, "bytes") else b""
    return found


def check_reading(query: str) -> None:
    """Refuse what ``readonly = 1`` lets through and nobody may do.

    Raises:
        ClickHouseFault: When it is that.
    """
    reason = refusal(query)
    if reason is not None:
        raise ClickHouseFault.of("ACCESS_DENIED", f"Not allowed here: {reason}")
