"""The tables of a cluster, made by the embedded engine with a real ZooKeeper."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fleetspan_collector.store.cluster import EVERYWHERE, SHARDED_BY
from tests.collector_processor.running import poll

_SERVER: Final = Path("/usr/share/zookeeper/bin/zkServer.sh")
_PROCESS: Final = Path(__file__).with_name("replicated_process.py")
_CONFIG: Final = """<clickhouse>
  <remote_servers><two>
    <shard><replica><host>127.0.0.1</host><port>9000</port></replica></shard>
    <shard><replica><host>127.0.0.2</host><port>9000</port></replica></shard>
  </two></remote_servers>
  <macros><cluster>two</cluster><shard>01</shard><replica>one</replica></macros>
  <zookeeper><node><host>127.0.0.1</host><port>{port}</port></node></zookeeper>
</clickhouse>
"""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.zookeeper,
    pytest.mark.skipif(
        not _SERVER.exists(), reason="needs ZooKeeper: apt-get install zookeeper"
    ),
]


@pytest.fixture(scope="module")
def zookeeper(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A ZooKeeper; its port."""
    folder = tmp_path_factory.mktemp("zookeeper")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    config = folder / "zoo.cfg"
    config.write_text(
        f"tickTime=500\ndataDir={folder}\nclientPort={port}\n"
        "clientPortAddress=127.0.0.1\nadmin.enableServer=false\n"
        "4lw.commands.whitelist=ruok\n"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [str(_SERVER), "start-foreground", str(config)],
            stdout=log,
            stderr=log,
            env={**os.environ, "ZOO_LOG_DIR": str(folder)},
            start_new_session=True,
        )
    try:
        poll(lambda: said(port) == b"imok", "ZooKeeper")
        yield port
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def said(port: int) -> bytes:
    """What a ZooKeeper says when asked how it is; nothing when it is not there."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.sendall(b"ruok")
            return connection.recv(16)
    except OSError:
        return b""


@pytest.fixture(scope="module")
def made(zookeeper: int, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of the tables."""
    folder = tmp_path_factory.mktemp("replicated")
    config = folder / "config.xml"
    config.write_text(_CONFIG.format(port=zookeeper))
    done = subprocess.run(
        [sys.executable, str(_PROCESS), str(folder / "store"), str(config)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def test_every_table_is_made(made: dict[str, Any]) -> None:
    """The replicated ones in ZooKeeper; Distributed ones and views with plain ones below."""
    replicas = {table: path for table, path, _ in made["replicas"]}
    assert replicas == {
        f"{table}_local": f"/clickhouse/tables/01/otel/{table}_local"
        for table in SHARDED_BY
    } | {table: f"/clickhouse/tables/all/otel/{table}" for table in EVERYWHERE}
    engines = dict(made["engines"])
    assert {n for n, engine in engines.items() if engine == "Distributed"} == set(
        SHARDED_BY
    )
    assert engines["runs"] == engines["findings"] == "View"


def test_the_embedded_engine_takes_no_rows_there(made: dict[str, Any]) -> None:
    """Its replicas stay read-only: it has no port for other replicas.

    So inserts, and their replays, need a server. Once the engine can, this fails, and the
    store's README is to be changed.
    """
    assert all(readonly for _, _, readonly in made["replicas"])
    assert any("interserver_http(s)_port" in row[0] for row in made["errors"])
