"""The store's schema: numbered migrations, and the views made anew at every start.

The generation is the number of the last migration, kept in the store itself. An older
store is brought up to date; a newer one is refused, untouched.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Final

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.store import _sql
from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.cluster import as_clustered, distributed

logger = logging.getLogger("fleetspan.store")

_GENERATIONS: Final = "fleetspan_schema"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """How long rows are kept, in days; 0 keeps them for ever.

    Attributes:
        traces_days: Spans.
        logs_days: Log records.
        metrics_days: Metric points.
        evidence_days: Evidence, from which late reports are joined.
        runs_days: Runs, agents, llm calls and tool calls.
    """

    traces_days: int = 30
    logs_days: int = 30
    metrics_days: int = 90
    evidence_days: int = 30
    runs_days: int = 365


def latest_generation() -> int:
    """The schema generation that this version of Fleetspan writes."""
    return max(_migrations())


def stored_generation(engine: Engine) -> int:
    """The schema generation of a store; 0 when it has none yet."""
    database = engine.address.database
    exists = engine.command(f"EXISTS TABLE {database}.{_GENERATIONS}")
    if not int(str(exists)):
        return 0
    return int(
        str(engine.command(f"SELECT max(Generation) FROM {database}.{_GENERATIONS}"))
    )


def migrate(engine: Engine, *, retention: Retention, idle_timeout_s: float) -> int:
    """Bring a store up to date.

    Args:
        engine: A connection that may write.
        retention: How long new tables keep their rows.
        idle_timeout_s: Silence, in seconds, after which a run is shown as abandoned.

    Returns:
        The schema generation, now.

    Raises:
        UnreachableError: When a newer version of Fleetspan made the store.
    """
    address = engine.address
    found, latest = stored_generation(engine), latest_generation()
    if found > latest:
        raise UnreachableError(
            "the store is of a newer generation than this Fleetspan",
            because=f"its schema is generation {found}, this version knows {latest}",
            suggestion="pip install --upgrade fleetspan",
        )
    if found < latest:
        logger.info("bringing the store to schema generation %d", latest)
    for statement in statements(
        address.database,
        address.cluster,
        retention=retention,
        idle_timeout_s=idle_timeout_s,
        after=found,
    ):
        engine.command(statement)
    return latest


def statements(
    database: str,
    cluster: str | None,
    *,
    retention: Retention,
    idle_timeout_s: float,
    after: int = 0,
) -> Iterator[str]:
    """Yield the statements that bring a store from a generation to the latest one.

    Args:
        database: Where the tables are to be.
        cluster: Its name, as it stands in a statement; ``None`` for one server.
        retention: How long new tables keep their rows.
        idle_timeout_s: Silence, in seconds, after which a run is shown as abandoned.
        after: The generation that the store is of; 0 for none.
    """
    tokens = _tokens(database, cluster, retention)

    def filled(statement: str) -> str:
        on_nodes = statement if cluster is None else as_clustered(statement)
        return _sql.fill(on_nodes, tokens)

    yield filled("CREATE DATABASE IF NOT EXISTS @database@ @on_cluster@")
    yield filled(
        f"CREATE TABLE IF NOT EXISTS @database@.{_GENERATIONS} @on_cluster@"
        " (Generation UInt32, AppliedAt DateTime DEFAULT now())"
        " ENGINE = @replicated@MergeTree ORDER BY Generation"
        " SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"
    )
    news = {number: text for number, text in _migrations().items() if number > after}
    for _, text in sorted(news.items()):
        for statement in _sql.statements(text):
            yield filled(statement)
    if news and cluster is not None:
        for statement in distributed(cluster):
            yield filled(statement)
    # Last of all: what was cut short is begun again, and changes nothing twice.
    for number in sorted(news):
        yield f"INSERT INTO {database}.{_GENERATIONS} (Generation) VALUES ({number})"
    views = {**tokens, "idle_seconds": str(int(idle_timeout_s))}
    for statement in _sql.statements(_sql.load("views")):
        yield _sql.fill(statement, views)


def _tokens(database: str, cluster: str | None, retention: Retention) -> dict[str, str]:
    forever = 36_500
    return {
        "database": database,
        "on_cluster": f"ON CLUSTER {cluster}" if cluster else "",
        "replicated": "",
        "traces_days": str(retention.traces_days or forever),
        "logs_days": str(retention.logs_days or forever),
        "metrics_days": str(retention.metrics_days or forever),
        "evidence_days": str(retention.evidence_days or forever),
        "runs_days": str(retention.runs_days or forever),
    }


def _migrations() -> dict[int, str]:
    folder = resources.files("fleetspan_collector.store") / "migrations"
    return {
        int(file.name.split("_", 1)[0]): file.read_text(encoding="utf-8")
        for file in folder.iterdir()
        if file.name.endswith(".sql")
    }
