"""Asking the owner of a data directory, and telling it from what is left of one."""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import prometheus_client
import pytest

from fleetspan_collector._errors import CollectorError, UnreachableError, UsageError
from fleetspan_collector.cli._source import (
    LocalSource,
    OwnerSource,
    find_owner,
    open_source,
)
from fleetspan_collector.config import Endpoints, Settings, write_endpoints
from fleetspan_collector.journal.lock import DataLock
from fleetspan_collector.receivers.http_server import HttpServer
from fleetspan_collector.store.rows import RunDetail
from fleetspan_collector.web.app import Sources, create_app
from fleetspan_collector.web.memory_reader import MemoryReader, MemoryRows

STATEMENT = "SELECT 'ü' FORMAT Null"


@pytest.fixture
def reader(fleet: list[RunDetail]) -> MemoryReader:
    """Three runs and one statement with a large result."""
    return MemoryReader(fleet, answers={STATEMENT: b"x" * 200_000})


@pytest.fixture
async def web(reader: MemoryReader) -> AsyncIterator[str]:
    """The address of a web port over the reader."""

    async def caught_up(
        timeout_s: float, *, derived: bool = True, analysed: bool = False
    ) -> bool:
        return True

    async def unready() -> dict[str, str]:
        return {"lag": "9 s behind"}

    registry = prometheus_client.CollectorRegistry()
    sources = Sources(
        rows=MemoryRows(reader), registry=registry, caught_up=caught_up, unready=unready
    )
    server = HttpServer(create_app(sources), "127.0.0.1", 0)
    await server.start()
    yield f"127.0.0.1:{server.port}"
    await server.stop()


async def test_owner_and_store_give_the_same(web: str, reader: MemoryReader) -> None:
    """A command cannot tell whether it asked the owner or opened the store."""
    owner, local = OwnerSource(web), LocalSource(reader)
    since = datetime(2026, 1, 1, tzinfo=UTC)

    def ask(source: Any) -> list[Any]:
        return [
            source.runs(None, None),
            source.runs(since, 1),
            source.run("aaa1"),
            b"".join(source.sql(STATEMENT, "TabSeparated")),
        ]

    assert await asyncio.to_thread(ask, owner) == ask(local)


@pytest.mark.parametrize("run_id", ["aaa", "zzz", "a/b", "ü?#"])
async def test_owner_and_store_refuse_the_same(
    web: str, reader: MemoryReader, run_id: str
) -> None:
    """An error over HTTP is the error that it was on the other side."""
    with pytest.raises(UsageError) as local:
        LocalSource(reader).run(run_id)
    with pytest.raises(UsageError) as asked:
        await asyncio.to_thread(OwnerSource(web).run, run_id)
    texts = [
        (e.value.error, e.value.because, e.value.suggestion) for e in (local, asked)
    ]
    assert texts[0] == texts[1]


async def test_refused_statement_is_exit_1_and_unready_is_exit_3(web: str) -> None:
    """The kind of an error survives HTTP."""

    def refused() -> None:
        list(OwnerSource(web).sql("DROP", "JSON"))

    with pytest.raises(CollectorError, match="refused") as caught:
        await asyncio.to_thread(refused)
    assert caught.value.exit_code == 1
    with pytest.raises(UnreachableError):
        await asyncio.to_thread(OwnerSource(web).get, "/readyz")


async def test_live_owner_is_found(web: str, tmp_path: Path) -> None:
    """A collector is found through its data directory."""
    write_endpoints(tmp_path, Endpoints(web=web))
    found = await asyncio.to_thread(find_owner, Settings(data=tmp_path))
    assert found == (Endpoints(web=web), os.getpid())


def write(data: Path, web: str | None, pid: int) -> None:
    """Write the file of another process."""
    (data / "endpoints.json").write_text(json.dumps({"web": web, "pid": pid}))


def test_dead_owner_is_none(tmp_path: Path) -> None:
    """The file of a killed collector is not taken for a collector."""
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    # With its web port off, only the process tells.
    write(tmp_path, None, done.pid)
    assert find_owner(Settings(data=tmp_path)) is None


async def test_stranger_on_the_port_is_none(web: str, tmp_path: Path) -> None:
    """Another collector that got the port of a killed one is not asked for its data."""
    write(tmp_path, web, os.getppid())
    assert await asyncio.to_thread(find_owner, Settings(data=tmp_path)) is None


def test_closed_port_is_none(tmp_path: Path) -> None:
    """A live process that does not answer is no owner."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    write(tmp_path, f"127.0.0.1:{port}", os.getpid())
    assert find_owner(Settings(data=tmp_path)) is None


def test_proxies_of_the_environment_are_not_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A proxy for the web has no business with this machine's own port."""
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:1")
    with pytest.raises(UnreachableError, match="Connection refused"):
        OwnerSource("127.0.0.1:1").get("/healthz")


def test_owner_without_a_web_port_says_so(command: Any, tmp_path: Path) -> None:
    """A collector that was told not to answer cannot be asked, and is left alone."""
    data = tmp_path / "data"
    data.mkdir()
    write(data, None, os.getpid())
    done = command("ls")
    assert done.code == 3
    assert done.err.splitlines()[2] == "try: start it without --web off"


def opening(
    reader: MemoryReader,
) -> Callable[[Settings], AbstractContextManager[MemoryReader]]:
    """Open a reader as a store is opened: under the lock of the directory."""

    @contextmanager
    def opener(settings: Settings) -> Iterator[MemoryReader]:
        with DataLock(settings.data):
            yield reader

    return opener


@pytest.fixture
def stored(tmp_path: Path) -> Settings:
    """Settings of a directory in which something was recorded."""
    (tmp_path / "store").mkdir()
    return Settings(data=tmp_path)


def test_without_an_owner_the_store_is_opened_under_the_lock(
    stored: Settings, reader: MemoryReader
) -> None:
    """The directory is owned while the store is open, and free afterwards."""
    with open_source(stored, opener=opening(reader)) as source:
        assert [run["run_id"] for run in source.runs(None, 1)] == ["aaa222"]
        with pytest.raises(UnreachableError):
            DataLock(stored.data)
    DataLock(stored.data).close()


def test_a_command_waits_for_another_one(
    stored: Settings, reader: MemoryReader
) -> None:
    """Two commands at a time read one after the other."""
    lock = DataLock(stored.data)
    threading.Timer(0.2, lock.close).start()
    with open_source(stored, opener=opening(reader)) as source:
        assert len(source.runs(None, None)) == 3


def test_patience_ends_with_the_holder(stored: Settings, reader: MemoryReader) -> None:
    """Who holds the directory for long is named."""
    with (
        DataLock(stored.data),
        pytest.raises(UnreachableError, match=f"process {os.getpid()} "),
        open_source(stored, opener=opening(reader), patience_s=0.0),
    ):
        pass


def test_a_store_that_cannot_be_opened_is_not_waited_for(stored: Settings) -> None:
    """Waiting is for owners that let go, not for stores that are broken."""
    tries = []

    @contextmanager
    def broken(settings: Settings) -> Iterator[MemoryReader]:
        tries.append(settings)
        raise UnreachableError("a", because="b", suggestion="c")
        yield MemoryReader()

    with (
        pytest.raises(UnreachableError, match="a: b"),
        open_source(stored, opener=broken, patience_s=3600.0),
    ):
        pass
    assert len(tries) == 2


@pytest.mark.integration
def test_a_real_store_is_opened_and_let_go(process: Any, tmp_path: Path) -> None:
    """With nobody running, the commands open the embedded engine themselves."""
    (tmp_path / "data" / "store").mkdir(parents=True)
    assert json.loads(process("ls", "--json").out) == {"schema_version": 1, "runs": []}
    done = process("sql", "SELECT 40 + 2 AS answer", "--format", "JSONEachRow")
    assert (done.code, done.out) == (0, '{"answer":42}\n')
    done = process("sql", "CREATE TABLE t (a Int8) ENGINE = Memory")
    assert done.code != 0
    assert done.err.startswith("error: ")
    DataLock(tmp_path / "data").close()
