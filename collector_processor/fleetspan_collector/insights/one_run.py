"""One run with all its rows, read through a collector or straight from the store."""

from __future__ import annotations

import time

import pyarrow as pa

from fleetspan_collector.config import Settings, of_processors
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.insights.asking import Asks, ask, text
from fleetspan_collector.processors.reading import RunReader
from fleetspan_collector.processors.run import Context, Run


class _Asked:
    """Tables that are read through a source."""

    def __init__(self, source: Asks, database: str) -> None:
        self._source = source
        self.database = database

    def arrow(self, sql: str) -> pa.Table:
        answer = b"".join(self._source.sql(sql, "ArrowStream"))
        return pa.ipc.open_stream(answer).read_all()


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
    found = ask(source, "one_run", database=tables.database, run_id=text(run_id))
    hours = {
        (row["Tenant"], row["RunId"]): int(row["Hour"]) for row in found.to_pylist()
    }
    now_ns = time.time_ns()
    context = Context(
        settings=of_processors(settings),
        prices=PriceBook.load(settings.price_override_file),
        now_ns=now_ns,
    )
    # A connection that only reads takes no settings, and has those that matter.
    reader = RunReader(tables, idle_timeout_s=settings.idle_timeout_s, hints="")
    for batch in reader.batches(hours, lambda facts: context, now_ns):
        return batch.run(0)
    return None
