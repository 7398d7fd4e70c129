"""Three collectors on one store; one is killed, never comes back, and is handed over."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Self

import pytest

from tests.collector_processor.fleet import agent, call, tool, traces
from tests.collector_processor.forward.receiving import Receiver
from tests.collector_processor.running import Collector, command, poll
from tests.collector_processor.server_store import STORE, ServerStore

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(STORE != "embedded", reason="it has a server of its own"),
]
_SENDERS = 6
_SPANS = 9


def pieces_of_a_run(trace: int) -> list[bytes]:
    """A run of nine spans in which the same tool call fails six times: findings.

    Its root comes last, and with it its name.
    """
    failing = [
        tool(
            trace,
            number,
            2,
            at_ms=100 * number,
            failed=True,
            gen_ai__tool__call__arguments='{"command": "make"}',
            error__type="exit 2",
        )
        for number in range(4, 4 + _SPANS - 3)
    ]
    call_of_it = call(trace, 3, 2, at_ms=20)
    agents = [agent(trace, 1, gen_ai__agent__name="lead"), agent(trace, 2, 1, at_ms=10)]
    pieces = ([call_of_it, *failing[:3]], failing[3:], agents)
    return [traces(spans).SerializeToString() for spans in pieces]


class Senders:
    """Clients that send runs, piece by piece to one collector after the other.

    A piece that one does not take is sent to the next.

    Args:
        addresses: Of the collectors.
    """

    def __init__(self, addresses: Sequence[str]) -> None:
        self.acknowledged: set[int] = set()
        self._addresses = addresses
        self._stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._send, args=(number,))
            for number in range(_SENDERS)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _send(self, number: int) -> None:
        trace = 1_000_000 * (number + 1)
        to = number % len(self._addresses)
        while not self._stopping.is_set():
            trace += 1
            for body in pieces_of_a_run(trace):
                to = (to + 1) % len(self._addresses)
                # The same bytes again, until somebody says that they are safe.
                while not self._taken(self._addresses[to], body):
                    to = (to + 1) % len(self._addresses)
            self.acknowledged.add(trace)

    def _taken(self, address: str, body: bytes) -> bool:
        connection = http.client.HTTPConnection(address, timeout=10)
        try:
            headers = {"content-type": "application/x-protobuf"}
            connection.request("POST", "/v1/traces", body, headers)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


@pytest.fixture
def server(tmp_path: Path) -> Generator[ServerStore]:
    """A store that all collectors share."""
    server = ServerStore(tmp_path / "server")
    yield server
    server.stop()


def test_one_never_comes_back(tmp_path: Path, server: ServerStore) -> None:
    """Nothing acknowledged is lost, nothing stands twice, findings are written once."""
    variables = {"FLEETSPAN_STORE": server.url}
    with contextlib.ExitStack() as stack:
        collectors = [
            stack.enter_context(Collector(tmp_path / f"data{n}", variables=variables))
            for n in range(3)
        ]
        addresses = [each.endpoint("otlp_http") for each in collectors]
        with Senders(addresses) as senders:
            poll(lambda: len(senders.acknowledged) > 150, "some runs")
            collectors[1].kill()
            before = len(senders.acknowledged)
            poll(lambda: len(senders.acknowledged) > before + 100, "more runs")
        # Elsewhere: the machine is gone, its disk is not.
        shutil.copytree(tmp_path / "data1", tmp_path / "found")
        shutil.rmtree(tmp_path / "data1")
        left = list((tmp_path / "found" / "journal").rglob("*.open"))
        left += (tmp_path / "found" / "journal").rglob("*.sealed")
        assert left
        # What clients sent to these instead is stored, as after `--after` seconds.
        living = (collectors[0], collectors[2])
        for each in living:
            each.settle()
        drained = _drain(tmp_path / "found", server)
        assert drained["rows"] > 0
        assert _drain(tmp_path / "found", server)["rows"] == 0
        _check(living, senders.acknowledged)


def _drain(data: Path, server: ServerStore) -> dict[str, int]:
    arguments = ("--data", str(data), "drain", "--json", "--after", "1")
    done = command(*arguments, FLEETSPAN_STORE=server.url)
    assert done.returncode == 0, done.stderr
    document: dict[str, int] = json.loads(done.stdout)
    return document


def _check(living: Sequence[Collector], acknowledged: set[int]) -> None:
    """See each acknowledged run once, in whole, analysed, with its finding once."""
    collector = living[0]
    ids = {f"{trace:032x}" for trace in acknowledged}
    spans = collector.sql(
        "SELECT TraceId, toUInt32(count()) AS spans, toUInt32(uniqExact(SpanId)) AS ids"
        " FROM otel.otel_traces GROUP BY TraceId"
    )
    assert {(row["spans"], row["ids"]) for row in spans} == {(_SPANS, _SPANS)}
    assert {row["TraceId"] for row in spans} == ids
    (runs,) = collector.sql(
        "SELECT toUInt32(count()) AS runs, toUInt32(uniqExact(TraceId)) AS traces,"
        " toUInt32(sum(Agents)) AS agents, toUInt32(sum(LlmCalls)) AS calls,"
        " toUInt32(sum(ToolCalls)) AS tools FROM otel.runs"
    )
    number = len(ids)
    assert runs == {
        "runs": number,
        "traces": number,
        "agents": 2 * number,
        "calls": number,
        "tools": (_SPANS - 3) * number,
    }
    poll(
        lambda: collector.count("run_analyses") == number,
        f"analyses of {number} runs",
        patience_s=120,
    )
    findings = collector.sql(
        "SELECT RunId, toUInt32(count()) AS findings, toUInt32(uniqExact(Detector))"
        " AS detectors FROM otel.findings GROUP BY RunId"
    )
    assert {row["findings"] for row in findings} == {
        row["detectors"] for row in findings
    }
    assert len(findings) == number


def test_a_journal_that_is_not_there(tmp_path: Path) -> None:
    """An error of usage."""
    done = command("--data", str(tmp_path), "drain")
    assert done.returncode == 2
    assert "no journal" in done.stderr


def test_one_that_is_still_alive(tmp_path: Path) -> None:
    """Its owner is named, and nothing is touched."""
    with Collector(tmp_path / "data") as collector:
        done = command("--data", str(tmp_path / "data"), "drain")
        assert done.returncode == 3
        assert str(collector.process.pid) in done.stderr


def test_destinations_get_the_rest(tmp_path: Path) -> None:
    """What the dead one had not forwarded is forwarded; who does not take it is named."""
    data = tmp_path / "data"
    (*_, body) = pieces_of_a_run(1)
    with Receiver("http/protobuf") as receiver:
        forward = json.dumps(
            {"there": {"url": receiver.url, "protocol": "http/protobuf"}}
        )
        variables = {"FLEETSPAN_FORWARD": forward}
        receiver.go()
        with Collector(data, variables=variables) as collector:
            collector.post("traces", body)
            time.sleep(0.5)
            collector.kill()
        done = command("--data", str(data), "drain", "--wait", "1", **variables)
        assert done.returncode == 1
        assert "there has not taken everything" in done.stderr
        receiver.come_back()
        done = command("--data", str(data), "drain", **variables)
        assert done.returncode == 0, done.stderr
        assert receiver.taken == [body]
