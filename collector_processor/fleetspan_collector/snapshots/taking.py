"""A snapshot of one run, taken by hand."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Final

from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import CollectorError
from fleetspan_collector.config import Settings
from fleetspan_collector.processors.reading import RunReader
from fleetspan_collector.processors.run import Context, Run
from fleetspan_collector.snapshots.capture import Capturer
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.web.lookup import Reader, find_run

_LONGEST_REASON: Final = 4096


class Taking:
    """Takes snapshots by hand; from any thread, one at a time.

    Args:
        engine: Any connection that may write; each snapshot opens one of its own.
        reader: Finds runs by ids that are cut short.
        settings: The collector's settings.
    """

    def __init__(self, engine: Engine, reader: Reader, settings: Settings) -> None:
        self._engine = engine
        self._reader = reader
        self._settings = settings
        self._lock = threading.Lock()

    def take(self, run_id: str, reason: str = "") -> str:
        """Take a snapshot of a run as it stands now.

        Args:
            run_id: Id of the run, or the beginning of it.
            reason: Why, in the user's words.

        Returns:
            The snapshot's id.

        Raises:
            UsageError: When no run has that id, or several have.
            CollectorError: When the store fails.
        """
        whole_id = find_run(self._reader, run_id)["run_id"]
        try:
            with self._lock, contextlib.closing(self._engine.another()) as engine:
                run = self._read(engine, whole_id)
                capturer = Capturer(engine, self._settings)
                return capturer.take(run, reason=reason[:_LONGEST_REASON])
        except ClickHouseError as error:
            raise CollectorError(
                f"no snapshot of run {run_id!r} could be taken",
                because=str(error).splitlines()[0][:500],
                suggestion="fleetspan doctor",
            ) from error

    def _read(self, engine: Engine, run_id: str) -> Run:
        reader = RunReader(engine, idle_timeout_s=self._settings.idle_timeout_s)
        now_ns = time.time_ns()
        context = Context(settings=self._settings, now_ns=now_ns)
        run = reader.one(run_id, lambda facts: context, now_ns)
        if run is not None:
            return run
        raise CollectorError(
            f"run {run_id!r} cannot be read",
            because="it has gone since it was found",
            suggestion="fleetspan ls",
        )
