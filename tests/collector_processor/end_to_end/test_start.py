"""What stops a collector from starting, and that it harms nothing."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc

from ..fleet import agent, traces
from ..running import FREE_PORTS, Collector, command, poll, rows_of
from ..server_store import embedded_only

_GIB: Final = 1 << 30

pytestmark = [pytest.mark.integration, pytest.mark.slow]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory that is not there yet."""
    return tmp_path / "data"


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Generator[Collector]:
    """A collector that works, and must go on doing so."""
    with Collector(tmp_path_factory.mktemp("first") / "data") as collector:
        yield collector


def up(
    data: Path, *options: str, ports: tuple[str, ...] = FREE_PORTS, **env: Any
) -> tuple[int, dict[str, str]]:
    """Try to start a collector; return its exit code and the three parts of its error."""
    done = command("up", f"--data={data}", *ports, *options, **env)
    parts = dict(line.split(": ", 1) for line in done.stderr.splitlines()[-3:])
    assert list(parts) == ["error", "because", "try"], done.stderr
    return done.returncode, parts


def still_works(collector: Collector, trace: int) -> None:
    """See a collector accept and answer."""
    collector.post("traces", traces([agent(trace, 1)]).SerializeToString())
    collector.settle()
    assert collector.count("agents", f"TraceId = '{trace:032x}'") == 1


def test_second_on_the_same_data(first: Collector) -> None:
    """The second names the pid of the first, which goes on."""
    code, said = up(first.data)
    assert code == 3
    assert str(first.process.pid) in said["error"] + said["because"]
    still_works(first, 1)


@pytest.mark.parametrize("name", ["grpc", "http", "web"])
def test_port_in_use(first: Collector, data: Path, name: str) -> None:
    """A port that is taken is named, with who holds it; no store is made."""
    address = first.endpoint(name if name == "web" else f"otlp_{name}")
    ports = tuple(each for each in FREE_PORTS if not each.startswith(f"--{name}="))
    code, said = up(data, f"--{name}={address}", ports=ports)
    assert code == 3
    assert address.split(":")[1] in said["error"]
    assert str(first.process.pid) in said["because"]
    assert not (data / "store").exists()
    assert not (data / "endpoints.json").exists()


def test_port_of_a_foreign_process(data: Path) -> None:
    """A port that any other program listens on stops the start as well."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, said = up(data, f"--grpc=127.0.0.1:{port}", ports=FREE_PORTS[1:])
    assert (code, said["error"]) == (3, f"port {port} is in use")


def test_data_is_a_file(tmp_path: Path) -> None:
    """A data directory that cannot be one is named; the file keeps its content."""
    file = tmp_path / "data"
    file.write_text("mine")
    code, said = up(file)
    assert code == 3
    assert str(file) in said["error"] + said["because"]
    assert file.read_text() == "mine"


def test_data_below_a_file(tmp_path: Path) -> None:
    """So is a directory that cannot be made."""
    (tmp_path / "file").write_text("mine")
    code, said = up(tmp_path / "file" / "data")
    assert code == 3
    assert str(tmp_path / "file") in said["error"] + said["because"]


@pytest.mark.parametrize(
    ("options", "variables", "named"),
    [
        (["--set=no_such_setting=1"], {}, "no_such_setting"),
        ([], {"FLEETSPAN_NO_SUCH_SETTING": "1"}, "FLEETSPAN_NO_SUCH_SETTING"),
        (["--no-such-flag"], {}, "--no-such-flag"),
        (["--set=journal_segment_bytes=soon"], {}, "journal_segment_bytes"),
    ],
)
def test_unknown_setting(
    data: Path, options: list[str], variables: dict[str, Any], named: str
) -> None:
    """A setting that is not known is a usage error, and nothing is made."""
    code, said = up(data, *options, **variables)
    assert code == 2
    assert named in said["error"] + said["because"]
    assert not data.exists()


def test_unknown_setting_in_the_file(data: Path) -> None:
    """So is one in the settings file of the data directory."""
    data.mkdir()
    (data / "config.toml").write_text("no_such_setting = 1\n")
    code, said = up(data)
    assert code == 2
    assert "no_such_setting" in said["error"] + said["because"]
    assert [each.name for each in data.iterdir()] == ["config.toml"]


@embedded_only
def test_store_of_a_newer_generation(data: Path) -> None:
    """A newer store is refused by its generation, and opens again once it is ours."""
    with Collector(data) as collector:
        still_works(collector, 7)
        assert collector.stop() == 0
    with contextlib.ExitStack() as stack:
        # Imported here: this process may have one store open at a time.
        from fleetspan_collector.store._engine import Engine
        from fleetspan_collector.store.address import StoreAddress

        engine = stack.enter_context(
            contextlib.closing(Engine(StoreAddress(path=data / "store")))
        )
        engine.command("INSERT INTO otel.fleetspan_schema (Generation) VALUES (999)")
    code, said = up(data)
    assert code == 3
    assert "newer" in said["error"]
    assert "999" in said["because"]
    code = command("--data", str(data), "ls", "--json").returncode
    assert code == 3
    with contextlib.closing(Engine(StoreAddress(path=data / "store"))) as engine:
        engine.command(
            "DELETE FROM otel.fleetspan_schema WHERE Generation = 999"
            " SETTINGS mutations_sync = 1"
        )
    assert rows_of(data, "SELECT Name FROM otel.agents") == [{"Name": "agent-1"}]


def test_disk_below_its_floor(data: Path) -> None:
    """A collector that could only refuse does not start, and says why."""
    code, said = up(data, f"--set=free_disk_floor_bytes={2**60}")
    assert code == 1
    assert said["error"] == "the disk is too full to accept anything"
    assert "free_disk_floor_bytes is" in said["because"]
    assert not (data / "store").exists()


def test_disk_filling_up(data: Path) -> None:
    """Below the floor it refuses by every protocol, with a retry of at most 2 s.

    Once there is space again it accepts, without a restart.
    """
    free = shutil.disk_usage(data.parent).free
    if free < 16 * _GIB:
        pytest.skip(f"needs 16 GiB of free disk, has {free / _GIB:.1f}")
    request = traces([agent(1, 1)])
    filler = data.with_name("filler")
    with Collector(data, f"--set=free_disk_floor_bytes={free - 2 * _GIB}") as collector:
        with filler.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, 4 * _GIB)
        for media in ("application/x-protobuf", "application/json"):
            body = request.SerializeToString() if "proto" in media else b"{}"
            if media == "application/json":
                from ..otlp_json import encode

                body = encode(request)
            status, headers, _ = collector.request(
                "otlp_http", "POST", "/v1/traces", body, content_type=media
            )
            assert status == 503
            assert 0 <= int(headers["retry-after"]) <= 2
            assert headers["content-type"] == media
        with grpc.insecure_channel(collector.endpoint("otlp_grpc")) as channel:
            stub: Any = trace_service_pb2_grpc.TraceServiceStub(channel)  # type: ignore[no-untyped-call]
            with pytest.raises(grpc.RpcError) as caught:
                stub.Export(request, timeout=30)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
        metadata: Any = caught.value.trailing_metadata()
        trailers = {key for key, _ in metadata}
        assert {"grpc-status-details-bin", "google.rpc.retryinfo-bin"} <= trailers
        assert collector.count("otel_traces") == 0
        assert collector.metric("fleetspan_receiver_refused_requests_total") >= 3
        filler.unlink()
        body = request.SerializeToString()

        def accepts() -> bool:
            status, _, _ = collector.request(
                *("otlp_http", "POST", "/v1/traces", body),
                content_type="application/x-protobuf",
            )
            return status == 200

        poll(accepts, "there is space again")
        still_works(collector, 1)
