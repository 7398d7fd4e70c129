"""Connections that only read, kept for whoever may see the same rows."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Final

from fleetspan_collector.store._engine import Engine

_MOST_KEPT: Final = 12
_SECONDS: Final = 30.0


class Leases:
    """Lends connections that only read, each to one user at a time.

    Args:
        engine: Any connection to the store; it opens its own.
        seconds: How long one statement may run.
    """

    def __init__(self, engine: Engine, *, seconds: float = _SECONDS) -> None:
        self._engine = engine.another()
        self._seconds = seconds
        self._lock = threading.Lock()
        self._idle: list[tuple[str | None, Engine]] = []
        self._closed = False
        self.database = engine.address.database

    @contextlib.contextmanager
    def of(self, sees: str | None) -> Generator[Engine]:
        """Lend a connection.

        Args:
            sees: Whose rows it reads; ``None`` for everybody's.
        """
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

    def close(self) -> None:
        """Close all connections that are not lent, and each other when it comes back."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for _, engine in idle:
            engine.close()
        self._engine.close()

    def _take(self, sees: str | None) -> Engine:
        with self._lock:
            for place in range(len(self._idle) - 1, -1, -1):
                if self._idle[place][0] == sees:
                    return self._idle.pop(place)[1]
        return self._engine.reader(tenant=sees, seconds=self._seconds)
