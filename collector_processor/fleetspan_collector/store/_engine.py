"""Connections to ClickHouse: embedded (chDB) or a server, through one client library.

Embedded, all clients of a process share one engine; each has a lock of its own, so
every thread opens its own client. Settings ride inside the SQL text: passed beside
it they would cost the embedded backend several extra statements a call.
"""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import clickhouse_connect
import pyarrow as pa
from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.store import _sql, cluster
from fleetspan_collector.store.address import StoreAddress

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

logger = logging.getLogger("fleetspan.store")

_DECODER_PATH: Final = ":memory:"
_OLDEST_SERVER: Final = (25, 8)


class Engine:
    """Opens clients to one store and runs statements on one of them.

    Args:
        address: Where the store is.
        threads: Threads one statement may use.
        memory_bytes: What one statement may take; more is refused by the engine.
    """

    def __init__(
        self, address: StoreAddress, *, threads: int = 1, memory_bytes: int = 2 << 30
    ) -> None:
        self.address = address
        self._settings: dict[str, int | float | str] = {
            "max_threads": threads,
            "max_memory_usage": memory_bytes,
            # 26.9 turns this on by default; its deduplication loses rows
            # (ClickHouse#111031), and an answer must mean that the rows are there.
            "async_insert": 0,
            # Resolving names thousands of groups in one statement.
            "max_query_size": 64 << 20,
            # Derived rows of one window may be of any number of days; they are few.
            "max_partitions_per_insert_block": 0,
            **(cluster.SETTINGS if address.cluster else {}),
        }
        self._client = self._connect(self._settings)

    def _connect(
        self, settings: Mapping[str, Any], database: str | None = None
    ) -> Client:
        address = self.address
        try:
            if address.path is not None:
                address.path.mkdir(parents=True, exist_ok=True)
                return clickhouse_connect.get_client(
                    interface="chdb", path=str(address.path), settings=dict(settings)
                )
            client = clickhouse_connect.get_client(
                host=address.host,
                port=address.port,
                username=address.user,
                password=address.password,
                secure=address.secure,
                database=database or "",
                settings=dict(settings),
                autogenerate_session_id=False,
            )
            _refuse_old(str(client.server_version), str(address.host))
            return client
        except (ClickHouseError, OSError) as error:
            where = str(address.path) if address.embedded else address.host
            raise UnreachableError(
                f"the store at {where} cannot be opened",
                because=str(error).splitlines()[0],
                suggestion="fleetspan doctor",
            ) from error

    @property
    def database(self) -> str:
        """The database of the store."""
        return self.address.database

    def another(self) -> Engine:
        """A second connection to the same store, for another thread."""
        twin = object.__new__(Engine)
        twin.address = self.address
        twin._settings = self._settings
        twin._client = self._connect(self._settings)
        return twin

    def reader(
        self,
        *,
        seconds: float = 30.0,
        memory_bytes: int = 2 << 30,
        tenant: str | None = None,
    ) -> Engine:
        """A connection that can only read tables: no writes, files or URLs.

        Args:
            seconds: How long one statement may run.
            memory_bytes: What one statement may take.
            tenant: Whose rows alone it sees, in whatever statement; ``None`` for all.
        """
        twin = object.__new__(Engine)
        twin.address = self.address
        twin._settings = {
            **self._settings,
            "max_threads": os.cpu_count() or 1,
            "max_execution_time": seconds,
            "max_memory_usage": memory_bytes,
            "do_not_merge_across_partitions_select_final": 1,
            # Conditions over the sorting key before the merge of FINAL: 182 to 79 ms
            # for the agents of a run among 5 million calls.
            "optimize_move_to_prewhere_if_final": 1,
        }
        if tenant is not None:
            twin._settings["additional_table_filters"] = self.condition_of_tenant(
                tenant
            )
        if not self.address.embedded:
            # Over HTTP without a session each statement brings its settings along.
            twin._settings["readonly"] = 1
            twin._client = twin._connect(twin._settings, self.address.database)
            return twin
        twin._client = twin._connect(twin._settings)
        # Only now: before the first migration there is no such database.
        twin._client.command(f"USE {self.address.database}")
        # Last, because nothing can be set after it.
        twin._client.command("SET readonly = 1")
        return twin

    def condition_of_tenant(self, tenant: str) -> str:
        """Return the value of ``additional_table_filters`` that confines to a tenant.

        It is a condition on every table that has tenants, which the engine itself adds:
        through views, sub-queries and ``merge()``.
        """
        database = self.address.database
        found = self.arrow(
            "SELECT table FROM system.columns WHERE database = {database:String}"
            " AND name = 'Tenant' AND table IN (SELECT name FROM system.tables"
            " WHERE database = {database:String} AND engine NOT LIKE '%View')"
            " ORDER BY table",
            {"database": database},
        )
        condition = _quoted(f"Tenant = {_quoted(tenant)}")
        tables = (
            f"{_quoted(f'{database}.{table}')}: {condition}"
            for table in found["table"].to_pylist()
        )
        return "{" + ", ".join(tables) + "}"

    def tables_with_tenants(self) -> frozenset[str]:
        """Return the tables of the store that have tenants, and the views over them."""
        found = self.arrow(
            "SELECT DISTINCT table FROM system.columns"
            " WHERE database = {database:String} AND name = 'Tenant'",
            {"database": self.address.database},
        )
        return frozenset(found["table"].to_pylist())

    def command(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> str | int | list[str]:
        """Run a statement for its effect, or for one value."""
        answer = self._client.command(sql, parameters=dict(parameters or {}))
        return answer if isinstance(answer, (str, int, list)) else ""

    def arrow(self, sql: str, parameters: Mapping[str, Any] | None = None) -> pa.Table:
        """Run a query; its result as an Arrow table."""
        return self._client.query_arrow(
            sql, parameters=dict(parameters or {}), use_strings=True
        )

    def blocks(
        self, sql: str, parameters: Mapping[str, Any] | None = None
    ) -> Generator[Sequence[Sequence[Any]]]:
        """Run a query; its result block by block, each when the engine has it.

        The connection is taken until the last block, or until this is closed; all of
        it has to happen on one thread.

        Returns:
            Blocks as their columns; a Map is a dictionary.
        """
        with self._client.query_column_block_stream(
            sql, parameters=dict(parameters or {})
        ) as stream:
            yield from stream

    def raw(
        self,
        sql: str,
        output_format: str,
        parameters: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Run a query; its result in a ClickHouse output format."""
        answer: bytes = self._client.raw_query(
            sql, parameters=dict(parameters or {}), fmt=output_format
        )
        return answer

    def insert_arrow(self, table: str, rows: pa.Table) -> None:
        """Append an Arrow table to a table of the store's database."""
        if not rows.num_rows:
            return
        if self.address.embedded:
            self._client.insert_arrow(f"{self.address.database}.{table}", rows)
            return
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, rows.schema) as writer:
            writer.write_table(rows)
        self._insert(table, rows.column_names, stream.getvalue(), "ArrowStream")

    def insert_native(self, table: str, columns: list[str], block: bytes) -> None:
        """Append blocks in Native format to a table of the store's database."""
        self._insert(table, columns, block, "Native")

    def _insert(self, table: str, columns: list[str], data: bytes, fmt: str) -> None:
        # As a file: bytes the client would send again by itself when the connection
        # ends, also when the server has stored them already.
        self._client.raw_insert(
            f"{self.address.database}.{table}", columns, io.BytesIO(data), fmt=fmt
        )

    def close(self) -> None:
        """Give the connection back; safe to call twice."""
        with contextlib.suppress(ClickHouseError):
            self._client.close()


def _refuse_old(version: str, host: str) -> None:
    """See that a server knows what our statements use.

    Raises:
        UnreachableError: When it is older than that.
    """
    found = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
    if found < _OLDEST_SERVER:
        needed = ".".join(map(str, _OLDEST_SERVER))
        raise UnreachableError(
            f"the store at {host} cannot be used",
            because=f"it is ClickHouse {version}, at least {needed} is needed",
            suggestion="upgrade the server, or use the embedded engine",
        )


def _quoted(text: str) -> str:
    return f"'{_sql.quote(text)}'"


@contextlib.contextmanager
def decoder(engine: Engine) -> Generator[Engine]:
    """An engine in this process that can read journal segments.

    The embedded store is one; beside a server it is an engine that keeps nothing.
    """
    if engine.address.embedded:
        yield engine
        return
    local = object.__new__(Engine)
    local.address = engine.address
    local._settings = {}
    local._client = clickhouse_connect.get_client(interface="chdb", path=_DECODER_PATH)
    try:
        yield local
    finally:
        local.close()
