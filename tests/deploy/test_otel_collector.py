"""The configurations of the OpenTelemetry collector, which one that is real runs.

It takes minutes to build: ``FLEETSPAN_TEST_OTELCOL=1`` does, and the path of one that was
built before (see `otelcol`) takes that.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import urllib.request
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)

from tests.collector_processor.access.keyed import KeyedCollector, make_key
from tests.collector_processor.fleet import agent, call, traces
from tests.collector_processor.jaeger.real_jaeger import free_port
from tests.collector_processor.running import FREE_PORTS, Collector, poll
from tests.deploy import otelcol
from tests.deploy.files import PORTS, load, run
from tests.deploy.otelcol import CONFIGURATIONS, Otelcol

WANTED = os.environ.get("FLEETSPAN_TEST_OTELCOL", "")
NAMES = ("in-front.yaml", "behind.yaml", "beside.yaml")

real = [
    pytest.mark.integration,
    pytest.mark.go,
    pytest.mark.slow,
    pytest.mark.timeout(2000),
    pytest.mark.skipif(
        not WANTED,
        reason="needs FLEETSPAN_TEST_OTELCOL=1, which builds an OpenTelemetry collector,"
        " or the path of one",
    ),
    pytest.mark.skipif(WANTED == "1" and shutil.which("go") is None, reason="needs Go"),
]


def test_all_are_tested() -> None:
    """No other lies in the folder."""
    assert {path.name for path in CONFIGURATIONS.iterdir()} == {*NAMES, "behind.toml"}


@pytest.mark.parametrize("name", NAMES)
def test_pipelines(name: str) -> None:
    """What pipelines name is there, what is there has a use, and no signal is left out."""
    found = load(CONFIGURATIONS / name)
    pipelines = found["service"]["pipelines"]
    assert set(pipelines) == {"traces", "metrics", "logs"}
    for kind in ("receivers", "processors", "exporters"):
        used = {
            each for pipeline in pipelines.values() for each in pipeline.get(kind, ())
        }
        assert used == set(found.get(kind, ()))
    assert set(found["service"].get("extensions", ())) == set(
        found.get("extensions", ())
    )
    # They would lose what has been answered for.
    assert "batch" not in found.get("processors", ())


@pytest.mark.parametrize("name", ["in-front.yaml", "beside.yaml"])
def test_queues(name: str) -> None:
    """Each destination has one on the disk, and is tried for as long as it takes."""
    found = load(CONFIGURATIONS / name)
    for exporter in found["exporters"].values():
        assert exporter["sending_queue"]["storage"] == "file_storage"
        assert exporter["retry_on_failure"]["max_elapsed_time"] == 0
    ours = found["exporters"]["otlp_grpc/fleetspan"]
    assert ours["endpoint"] == f"${{env:FLEETSPAN_GRPC:-127.0.0.1:{PORTS['grpc']}}}"


def test_behind_agrees_with_itself() -> None:
    """Fleetspan sends to where the other receives."""
    url = re.findall(
        r'url = "http://([^"]+)"', (CONFIGURATIONS / "behind.toml").read_text()
    )
    grpc = load(CONFIGURATIONS / "behind.yaml")["receivers"]["otlp"]["protocols"][
        "grpc"
    ]
    assert grpc["endpoint"] == f"${{env:OTELCOL_GRPC:-{url[0]}}}"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The program."""
    if WANTED != "1":
        return Path(WANTED)
    return otelcol.build(tmp_path_factory.mktemp("otelcol"))


def runs(first: int, last: int) -> dict[int, bytes]:
    """A request of two spans for each number."""
    return {
        number: traces([agent(number, 10), call(number, 11, 10)]).SerializeToString()
        for number in range(first, last + 1)
    }


def send(address: str, bodies: dict[int, bytes]) -> None:
    """Send requests over HTTP, and see each accepted."""
    connection = http.client.HTTPConnection(address, timeout=60)
    for body in bodies.values():
        media = {"content-type": "application/x-protobuf"}
        connection.request("POST", "/v1/traces", body, media)
        answer = connection.getresponse()
        assert answer.status == 200
        said = ExportTraceServiceResponse.FromString(answer.read())
        assert not said.partial_success.rejected_spans
    connection.close()


class TestReal:
    """A real one, between agents and a collector of ours."""

    pytestmark = real

    @pytest.mark.parametrize("name", NAMES)
    def test_valid(self, program: Path, name: str, tmp_path: Path) -> None:
        """It says so itself."""
        variables = {"OTELCOL_STORAGE": str(tmp_path / "queue")}
        path = f"--config={CONFIGURATIONS / name}"
        done = run(str(program), "validate", path, **variables)
        assert (done.returncode, done.stderr) == (0, "")

    def test_in_front(self, program: Path, tmp_path: Path) -> None:
        """With a key, what agents send arrives; killed and without us, nothing is lost."""
        data = tmp_path / "data"
        key = make_key(data, "blue")
        grpc = f"127.0.0.1:{free_port()}"
        ports = (f"--grpc={grpc}", *FREE_PORTS[1:])
        variables = {"FLEETSPAN_GRPC": grpc, "FLEETSPAN_KEY": key}

        def start() -> Otelcol:
            return Otelcol(program, "in-front.yaml", tmp_path, variables)

        with start() as first:
            with urllib.request.urlopen(f"http://{first.health}/") as answer:
                assert answer.status == 200
            with KeyedCollector(data, ports=ports) as ours:
                send(first.http, runs(1, 20))
                poll(lambda: ours.count("otel_traces") == 40, "all have arrived")
                ours.stop()
            send(first.http, runs(21, 40))
            first.kill()
        with KeyedCollector(data, ports=ports) as ours, start() as second:
            send(second.http, runs(41, 50))
            poll(lambda: ours.count("otel_traces") >= 100, "all have arrived")
            (row,) = ours.sql(
                "SELECT toUInt32(count()) AS n, toUInt32(uniqExact(TraceId, SpanId)) AS u,"
                " any(Tenant) AS t FROM otel_traces"
            )
            assert row == {"n": 100, "u": 100, "t": "blue"}

    def test_behind(self, program: Path, tmp_path: Path) -> None:
        """What Fleetspan takes goes on to it, with what was found."""
        with Otelcol(program, "behind.yaml", tmp_path, {}) as other:
            text = (CONFIGURATIONS / "behind.toml").read_text()
            assert "http://127.0.0.1:14317" in text
            config = tmp_path / "behind.toml"
            config.write_text(text.replace("127.0.0.1:14317", other.grpc))
            with Collector(tmp_path / "data", f"--config={config}") as ours:
                send(ours.endpoint("otlp_http"), runs(1, 5))
                poll(lambda: other.log.count("Trace ID ") >= 10, "it has all spans")
                poll(lambda: "fleetspan.run.cost_usd" in other.log, "runs have a cost")

    def test_beside(self, program: Path, tmp_path: Path) -> None:
        """Both get everything, and one of them being away costs the other nothing."""
        grpc = f"127.0.0.1:{free_port()}"
        existing = f"127.0.0.1:{free_port()}"
        variables = {"FLEETSPAN_GRPC": grpc, "EXISTING_OTLP": f"http://{existing}"}
        theirs_ports = (FREE_PORTS[0], f"--http={existing}", *FREE_PORTS[2:])
        with (
            Otelcol(program, "beside.yaml", tmp_path, variables) as other,
            Collector(
                tmp_path / "ours", ports=(f"--grpc={grpc}", *FREE_PORTS[1:])
            ) as ours,
        ):
            send(other.http, runs(1, 20))
            poll(lambda: ours.count("otel_traces") == 40, "ours has all")
            with Collector(tmp_path / "theirs", ports=theirs_ports) as theirs:
                poll(lambda: theirs.count("otel_traces") == 40, "the other has all")
