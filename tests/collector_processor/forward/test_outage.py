"""Real receivers that go away under load and come back.

They are away for ``FLEETSPAN_TEST_OUTAGE_S`` seconds, 5 unless it is set.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.collector_processor.fleet import agent, call, tool, traces
from tests.collector_processor.forward.receiving import Receiver
from tests.collector_processor.rotel_agent import rotel, rotel_program
from tests.collector_processor.running import FREE_PORTS, Collector, environment, poll

pytestmark = pytest.mark.integration

AWAY_S = float(os.environ.get("FLEETSPAN_TEST_OUTAGE_S", "5"))
REQUESTS_PER_S = 20.0
GO = Path(__file__).parent / "go"


def work(number: int) -> ExportTraceServiceRequest:
    """Return a run of three spans."""
    return traces(
        [
            agent(number, 10, gen_ai__agent__name="worker"),
            call(number, 11, 10),
            tool(number, 12, 10, note="it's\t🚀"),
        ]
    )


@dataclass
class Load:
    """Sends runs to a collector until it is stopped."""

    collector: Collector
    sent: dict[int, bytes] = field(default_factory=dict)
    _stopping: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Send, at an even pace."""
        address = self.collector.endpoint("otlp_http")
        connection = http.client.HTTPConnection(address, timeout=60)
        media = {"content-type": "application/x-protobuf"}
        began_s = time.monotonic()
        while not self._stopping.is_set():
            number = len(self.sent) + 1
            body = work(number).SerializeToString()
            connection.request("POST", "/v1/traces", body, media)
            answer = connection.getresponse()
            assert answer.status == 200
            answer.read()
            self.sent[number] = body
            due_s = began_s + number / REQUESTS_PER_S
            self._stopping.wait(max(due_s - time.monotonic(), 0))
        connection.close()

    @contextlib.contextmanager
    def running(self) -> Generator[None]:
        """Send while the block runs."""
        thread = threading.Thread(target=self.run)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()


def free_address() -> str:
    """Return an address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def spans_of(bodies: Iterable[bytes]) -> Counter[tuple[bytes, bytes, bytes]]:
    """Count spans: trace, span, and all of it as bytes."""
    found: Counter[tuple[bytes, bytes, bytes]] = Counter()
    for body in bodies:
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    whole = span.SerializeToString(deterministic=True)
                    found[span.trace_id, span.span_id, whole] += 1
    return found


@pytest.mark.timeout(300 + 3 * AWAY_S)
@pytest.mark.skipif(rotel_program() is None, reason="needs rotel")
def test_rotel_and_a_second_collector_come_back(tmp_path: Path) -> None:
    """Each gets everything once; a third one never notices that they were away."""
    program = rotel_program()
    assert program is not None
    second_data, second_grpc = tmp_path / "second", free_address()
    ports = (f"--grpc={second_grpc}", *FREE_PORTS[1:])
    with contextlib.ExitStack() as stack:
        here = stack.enter_context(Receiver("grpc"))
        behind_rotel = stack.enter_context(Receiver("http/protobuf"))
        onward = ["--exporter", "otlp", "--otlp-exporter-protocol", "http"]
        onward += ["--otlp-exporter-endpoint", behind_rotel.url]
        agent_process = stack.enter_context(contextlib.ExitStack())
        running = agent_process.enter_context(
            rotel(tmp_path / "rotel.log", program, *onward)
        )
        second = stack.enter_context(Collector(second_data, ports=ports))
        forward = {
            "here": {"url": here.url},
            "rotel": {"url": f"http://{running.grpc}"},
            "second": {"url": f"http://{second_grpc}"},
        }
        first = stack.enter_context(
            Collector(
                tmp_path / "first",
                variables={"FLEETSPAN_FORWARD": json.dumps(forward)},
            )
        )
        load = Load(first)
        with load.running():
            poll(lambda: len(load.sent) > 20, "it is under way")
            poll(lambda: second.count("otel_traces") > 0, "the second takes part")
            poll(lambda: len(behind_rotel.taken) > 0, "rotel takes part")
            second.stop()
            # Rotel keeps what it has taken in memory alone: asked to end, it sends it.
            agent_process.close()
            late_s = lateness(here, load, AWAY_S)
            second = stack.enter_context(Collector(second_data, ports=ports))
            stack.enter_context(
                rotel(
                    tmp_path / "rotel.log",
                    program,
                    *onward,
                    grpc=running.grpc,
                    http=running.http,
                )
            )
            time.sleep(1)
        sent = load.sent
        truth = spans_of(sent.values())
        patience_s = 60 + AWAY_S
        poll(lambda: len(here.taken) == len(sent), "the one that stayed has all")
        poll(
            lambda: second.count("otel_traces") == 3 * len(sent),
            "the second has all",
            patience_s=patience_s,
        )
        poll(
            lambda: spans_of(list(behind_rotel.taken)) == truth,
            "rotel has passed all of it on",
            patience_s=patience_s,
        )
        assert sorted(here.taken) == sorted(sent.values())
        assert (
            first.count("otel_traces") == second.count("otel_traces") == 3 * len(sent)
        )
        (tmp_path / "report").write_text(
            f"{len(sent)} requests, at most {late_s:.2f} s late at the one that stayed"
        )


def lateness(receiver: Receiver, load: Load, seconds: float) -> float:
    """Watch for a while how far behind a receiver is; return the most, in seconds."""
    most = 0.0
    until_s = time.monotonic() + seconds
    while time.monotonic() < until_s:
        most = max(most, (len(load.sent) - len(receiver.taken)) / REQUESTS_PER_S)
        time.sleep(0.05)
    return most


@pytest.fixture(scope="module")
def go_receiver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The OpenTelemetry collector's own OTLP receiver, built."""
    if shutil.which("go") is None:
        pytest.skip("needs Go")
    program = tmp_path_factory.mktemp("go") / "receiver"
    built = subprocess.run(
        ["go", "build", "-o", str(program), "."],
        cwd=GO,
        env=environment(GOFLAGS="-mod=readonly"),
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode:
        pytest.skip(f"Go cannot build the receiver: {built.stderr[-300:]}")
    return program


@pytest.mark.go
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_the_opentelemetry_collector_takes_the_same(
    collector: Callable[..., Collector],
    go_receiver: Path,
    tmp_path: Path,
    protocol: str,
) -> None:
    """Its receiver, away and back, has every request once, as it was sent."""
    grpc, http_address = free_address(), free_address()
    url = f"http://{grpc if protocol == 'grpc' else http_address}"
    running = collector({"otel": {"url": url, "protocol": protocol}})
    sent = [work(number).SerializeToString() for number in range(1, 101)]
    for each in sent[:50]:
        running.post("traces", each)
    log = tmp_path / "receiver.log"
    with log.open("wb") as file:
        process = subprocess.Popen([go_receiver, grpc, http_address], stdout=file)
        try:
            for each in sent[50:]:
                running.post("traces", each)

            def taken() -> list[bytes]:
                lines = log.read_text().splitlines()
                return [
                    bytes.fromhex(line.removeprefix("traces "))
                    for line in lines
                    if line.startswith("traces ")
                ]

            poll(lambda: len(taken()) == 100, "it has all")
        finally:
            process.terminate()
            process.wait()
    # It reads and writes them anew: fields may stand in another order, empty ones appear.
    assert sorted(map(canonical, taken())) == sorted(map(canonical, sent))


def canonical(body: bytes) -> bytes:
    """Return a request's content in one order of fields, with empty messages or without."""
    request = ExportTraceServiceRequest.FromString(body)
    for resource in request.resource_spans:
        resource.resource.SetInParent()
        for scope in resource.scope_spans:
            scope.scope.SetInParent()
            for span in scope.spans:
                span.status.SetInParent()
    return request.SerializeToString(deterministic=True)
