"""A server as the store, over connections that break: nothing is lost, nothing is twice."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.collector_processor.fleet import agent, call, tool, traces
from tests.collector_processor.running import Collector, command, poll
from tests.collector_processor.server_store import ServerStore
from tests.collector_processor.store.faulty_proxy import Fault, FaultyProxy

pytestmark = pytest.mark.integration

RUNS = 40


@pytest.fixture
def server(tmp_path: Path) -> Generator[ServerStore]:
    """A server with an empty store."""
    server = ServerStore(tmp_path / "server")
    yield server
    server.stop(signal.SIGKILL)


def collector_on(url: str, data: Path) -> Collector:
    """Return a collector that keeps its store there."""
    return Collector(data, variables={"FLEETSPAN_STORE": url})


def send(collector: Collector, first: int, count: int) -> None:
    """Send runs of three spans each."""
    for number in range(first, first + count):
        spans = [agent(number, 10), call(number, 11, 10), tool(number, 12, 10)]
        collector.post("traces", traces(spans).SerializeToString())


def assert_whole(collector: Collector, runs: int) -> None:
    """See that each row of so many runs is there, once."""
    collector.settle()
    assert collector.count("otel_traces") == 3 * runs
    (row,) = collector.sql(
        "SELECT toUInt32(uniqExact(TraceId, SpanId)) AS n FROM otel.otel_traces"
    )
    assert row["n"] == 3 * runs
    for table in ("runs", "agents", "llm_calls", "tool_calls"):
        assert collector.count(table) == runs


@pytest.mark.parametrize("when", ["before", "after"])
def test_inserts_are_cut(server: ServerStore, tmp_path: Path, when: str) -> None:
    """Before the server has them or after: it is asked what it has before they are sent again."""
    fault = Fault()
    with (
        FaultyProxy(server.address, fault) as proxy,
        collector_on(server.url_at(proxy.address), tmp_path / "data") as collector,
    ):
        send(collector, 1, 5)
        collector.settle()
        setattr(fault, when, 4)
        send(collector, 6, RUNS - 5)
        poll(lambda: fault.done == [when] * 4, "four inserts were cut")
        assert_whole(collector, RUNS)
        assert collector.stop() == 0


def test_the_server_goes_and_comes_back(server: ServerStore, tmp_path: Path) -> None:
    """Killed under load; what was acknowledged meanwhile is stored when it is back."""
    with collector_on(server.url, tmp_path / "data") as collector:
        send(collector, 1, 10)
        server.stop(signal.SIGKILL)
        send(collector, 11, 20)
        poll(
            lambda: (
                collector.metric("fleetspan_ingest_failures_total") > 0
                or collector.request("web", "GET", "/readyz")[0] == 503
            ),
            "it says that the store is away",
        )
        server.start()
        send(collector, 31, RUNS - 30)
        poll(lambda: collector.request("web", "GET", "/readyz")[0] == 200, "it is back")
        assert_whole(collector, RUNS)
        assert collector.stop() == 0


def test_the_collector_is_killed_while_the_server_is_away(
    server: ServerStore, tmp_path: Path
) -> None:
    """What it had acknowledged is in its journal, and is stored by the next one."""
    with collector_on(server.url, tmp_path / "data") as collector:
        send(collector, 1, 10)
        server.stop(signal.SIGKILL)
        send(collector, 11, RUNS - 10)
        collector.kill()
    server.start()
    with collector_on(server.url, tmp_path / "data") as collector:
        assert_whole(collector, RUNS)
        assert collector.stop() == 0


def test_a_server_that_is_too_old(server: ServerStore, tmp_path: Path) -> None:
    """It is refused by its version, with the one that is needed."""
    fault = Fault(replaced=(b"26.9.", b"24.3."))
    with FaultyProxy(server.address, fault) as proxy:
        done = up(server.url_at(proxy.address), tmp_path / "data")
    assert done.returncode == 3, done.stderr
    assert "24.3." in done.stderr
    assert "older" in done.stderr or "at least" in done.stderr


def test_a_wrong_password(server: ServerStore, tmp_path: Path) -> None:
    """It is said to be that, and the password is not shown."""
    done = up(server.url_at(server.address, "fsk_wrong_secret"), tmp_path / "data")
    assert done.returncode == 3, done.stderr
    assert "uthentication" in done.stderr
    assert "fsk_wrong_secret" not in done.stderr


def test_no_server(tmp_path: Path) -> None:
    """It is said to be unreachable."""
    done = up("clickhouse://default:x@127.0.0.1:1/otel", tmp_path / "data")
    assert done.returncode == 3, done.stderr
    assert "127.0.0.1:1" in done.stderr


def up(url: str, data: Path) -> subprocess.CompletedProcess[str]:
    """Start a collector that is to end at once."""
    return command(
        *("--data", str(data), "up", "--grpc=127.0.0.1:0", "--http=off", "--web=off"),
        *("--clickhouse=off", "--jaeger=off"),
        FLEETSPAN_STORE=url,
    )
