"""Rows of the page's statements, each read on a connection of the right tenant."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Final, Protocol

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.leases import Leases
from fleetspan_collector.store.reader import StoreReader
from fleetspan_collector.web.lookup import Reader

_MOST_KEPT: Final = 12


class ReadsRows(Protocol):
    """Reads rows of the page's statements; `Rows` is one. Methods block."""

    def of(
        self,
        sees: str | None,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        **tokens: str,
    ) -> list[dict[str, Any]]:
        """Return the rows of a statement, of what somebody may see."""
        ...

    def reader(self, sees: str | None) -> Reader:
        """Return what reads runs and plain statements for somebody."""
        ...


class Rows:
    """Connections that only read, kept for whoever may see the same rows.

    Args:
        engine: Any connection to the store; it opens its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.another()
        self._database = engine.address.database
        self._leases = Leases(engine)
        self._lock = threading.Lock()
        self._readers: dict[str | None, StoreReader] = {}

    def of(
        self,
        sees: str | None,
        name: str,
        parameters: Mapping[str, Any] | None = None,
        **tokens: str,
    ) -> list[dict[str, Any]]:
        """Return the rows of ``store/sql/<name>.sql``.

        Args:
            sees: Whose rows; ``None`` for everybody's.
            name: The statement.
            parameters: Values that it takes.
            tokens: Identifiers and expressions of it, from closed lists.

        Raises:
            CollectorError: When the store cannot be read.
        """
        statement = _sql.render(name, database=self._database, **tokens)
        with self._leases.of(sees) as engine:
            try:
                rows: list[dict[str, Any]] = engine.arrow(
                    statement, parameters
                ).to_pylist()
            except ClickHouseError as error:
                raise CollectorError(
                    "the store could not be read",
                    because=str(error).strip().splitlines()[0][:600],
                    suggestion="fleetspan doctor",
                ) from error
        return rows

    def reader(self, sees: str | None) -> StoreReader:
        """Return what reads runs and plain statements for somebody."""
        with self._lock:
            reader = self._readers.get(sees)
            if reader is None:
                if len(self._readers) >= _MOST_KEPT:
                    # The one that was made first; whoever uses it has it still.
                    self._readers.pop(next(iter(self._readers)))
                reader = self._readers[sees] = StoreReader(self._engine, sees)
            return reader

    def close(self) -> None:
        """Close all connections; safe to call twice."""
        with self._lock:
            readers, self._readers = self._readers, {}
        self._leases.close()
        for reader in readers.values():
            reader.close()
        self._engine.close()


def rfc3339(nanoseconds: int | None) -> str | None:
    """Write a time as the API does; ``None`` for one that is not known."""
    if nanoseconds is None:
        return None
    seconds, rest = divmod(nanoseconds, 1_000_000_000)
    try:
        moment = time.gmtime(seconds)
    except (OverflowError, ValueError, OSError):
        return None
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', moment)}.{rest // 1000:06d}Z"
