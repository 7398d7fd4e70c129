"""Rows of the page's statements, each read on a connection of the right tenant."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Generator, Mapping
from typing import Any, Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.reader import StoreReader

_MOST_KEPT: Final = 12
_SECONDS: Final = 30.0


class Rows:
    """Connections that only read, kept for whoever may see the same rows.

    Args:
        engine: Any connection to the store; it opens its own.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine.another()
        self.database = engine.address.database
        self._lock = threading.Lock()
        self._idle: list[tuple[str | None, Engine]] = []
        self._readers: dict[str | None, StoreReader] = {}
        self._closed = False

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
        statement = _sql.render(name, database=self.database, **tokens)
        with self._leased(sees) as engine:
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
            self._closed = True
            idle, self._idle = self._idle, []
            readers, self._readers = self._readers, {}
        for _, engine in idle:
            engine.close()
        for reader in readers.values():
            reader.close()
        self._engine.close()

    @contextlib.contextmanager
    def _leased(self, sees: str | None) -> Generator[Engine]:
        engine = self._take(sees)
        try:
            yield engine
        except BaseException:
            # What a failed statement left of its connection is not worth finding out.
            engine.close()
            raise
        with self._lock:
            dropped = [engine] if self._closed else []
            if not dropped:
                self._idle.append((sees, engine))
                if len(self._idle) > _MOST_KEPT:
                    dropped.append(self._idle.pop(0)[1])
        for each in dropped:
            each.close()

    def _take(self, sees: str | None) -> Engine:
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == sees:
                    return self._idle.pop(place)[1]
        return self._engine.reader(tenant=sees, seconds=_SECONDS)


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
