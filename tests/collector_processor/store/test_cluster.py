"""The schema on a cluster: what is on which shard, and that the engine takes it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from fleetspan_collector.store._engine import Engine
from fleetspan_collector.store.address import StoreAddress
from fleetspan_collector.store.cluster import (
    EVERYWHERE,
    SETTINGS,
    SHARDED_BY,
    as_clustered,
)
from fleetspan_collector.store.ddl import as_text
from fleetspan_collector.store.migrate import Retention, migrate, statements

ROOT: Final = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An embedded store with the whole schema."""
    path = tmp_path_factory.mktemp("cluster") / "store"
    engine = Engine(StoreAddress(path=path))
    migrate(engine, retention=Retention(), idle_timeout_s=900)
    yield engine
    engine.close()


def made(cluster: str | None) -> list[str]:
    """Return the statements of a new store."""
    return list(statements("otel", cluster, retention=Retention(), idle_timeout_s=900))


def test_every_table_has_a_place(engine: Engine) -> None:
    """It is sharded by something, or is on every node; nothing is both, or gone."""
    tables = engine.arrow(
        "SELECT name FROM system.tables WHERE database = 'otel'"
        " AND engine NOT LIKE '%View'"
    )["name"].to_pylist()
    assert set(tables) == set(SHARDED_BY) | EVERYWHERE
    assert not set(SHARDED_BY) & EVERYWHERE


def test_what_is_merged_is_on_one_shard(engine: Engine) -> None:
    """Rows that replace each other, or are added up, have the same sharding key."""
    for row in engine.arrow(
        "SELECT name, engine, sorting_key FROM system.tables WHERE database = 'otel'"
        " AND match(engine, 'Replacing|Aggregating')"
    ).to_pylist():
        if row["name"] in EVERYWHERE:
            continue
        named = set(re.findall(r"\b[A-Z]\w+", SHARDED_BY[row["name"]]))
        assert named <= set(re.findall(r"\w+", row["sorting_key"])), row["name"]


def test_sharding_keys_are_numbers(engine: Engine) -> None:
    """As Distributed wants them, of columns that are there."""
    for table, key in SHARDED_BY.items():
        kind = engine.arrow(
            f"SELECT toTypeName(any({key})) AS kind FROM otel.{table}"
        ).to_pylist()
        assert kind == [{"kind": "UInt64"}], table


def test_one_server_knows_nothing_of_it() -> None:
    """Its statements are those of the files, with nothing of a cluster."""
    for statement in made(None):
        for word in ("CLUSTER", "Replicated", "Distributed", "_local", "@"):
            assert word not in statement, statement


def test_every_statement_parses(engine: Engine) -> None:
    """All of them, as the engine's own parser sees them, on every node."""
    found = made("c")
    for statement in found:
        text = engine.command(
            "SELECT formatQuerySingleLine({text:String})", {"text": statement}
        )
        assert statement.startswith("INSERT") or " ON CLUSTER c " in f"{text} "
    distributed = [each for each in found if "Distributed(" in each]
    assert len(distributed) == len(SHARDED_BY)
    local = [each for each in found if "Replicated" in each]
    assert len(local) == len(SHARDED_BY) + len(EVERYWHERE)
    paths = [re.search(r"'(/clickhouse/[^']+)', '([^']+)'", each) for each in local]
    assert len({path[0] for path in paths if path}) == len(local)


def test_arguments_of_engines_stay() -> None:
    """Behind the path and the replica."""
    given = (
        "CREATE TABLE IF NOT EXISTS @database@.evidence @on_cluster@ (a Int8)"
        " ENGINE = @replicated@ReplacingMergeTree(Rank) ORDER BY a"
    )
    assert as_clustered(given) == (
        "CREATE TABLE IF NOT EXISTS @database@.evidence_local @on_cluster@ (a Int8)"
        " ENGINE = ReplicatedReplacingMergeTree('/clickhouse/tables/{shard}/@database@/"
        "evidence_local', '{replica}', Rank) ORDER BY a"
    )
    with pytest.raises(KeyError):
        as_clustered(given.replace("evidence", "new_table"))


def test_the_file_is_what_would_be_made() -> None:
    """Byte for byte: ``python -m fleetspan_collector.store.ddl``."""
    path = ROOT / "deploy" / "clickhouse" / "cluster.sql"
    assert path.read_text("utf-8") == as_text()


def test_what_cannot_be_distributed_names_the_local_tables() -> None:
    """On all nodes; one server has no other."""
    one = StoreAddress(host="db")
    assert one.on_nodes("evidence") == "otel.evidence"
    many = StoreAddress(host="db", cluster="c")
    assert many.on_nodes("evidence") == "otel.evidence_local ON CLUSTER c"


def test_the_engine_knows_the_settings(engine: Engine) -> None:
    """A name that it did not know it would refuse."""
    listed = ", ".join(
        f"{name} = {value if isinstance(value, int) else repr(value)}"
        for name, value in SETTINGS.items()
    )
    assert engine.command(f"SELECT 1 SETTINGS {listed}") == 1
