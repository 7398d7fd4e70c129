"""One run with all its rows, read through a collector or straight from the store."""

from __future__ import annotations

import time

import pyarrow as pa

from fleetspan_collector.config import Settings, of_processors
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.insights.asking import Asks, read
from fleetspan_collector.processors.reading import RunReader
from fleetspan_collector.processors.run import Context, Run


class _Asked:
    """Tables that are read through a source."""

    def __init__(self, source: Asks, database: str) -> None:
        self._source = source
        self.database = database

    def arrow(self, sql: str) -> pa.Table:
        return read(self._source, sql)


def read_run(source: Asks, settings: Settings, run_id: str) -> Run | None:
    """Read a run as processors see it, without baselines and past outcomes.

    Args:
        source: Where from.
        settings: Names the database and the user's own prices.
        run_id: Its whole id.

    Returns:
        The run, None when it is not there any more.

    Raises:
        CollectorError: When the store cannot be read.
    """
    tables = _Asked(source, settings.store.database)
    now_ns = time.time_ns()
    context = Context(
        settings=of_processors(settings),
        prices=PriceBook.load(settings.price_override_file),
        now_ns=now_ns,
    )
    # A connection that only reads takes no settings, and has those that matter.
    reader = RunReader(tables, idle_timeout_s=settings.idle_timeout_s, hints="")
    return reader.one(run_id, lambda facts: context, now_ns)
