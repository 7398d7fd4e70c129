"""``endpoints.json`` and ports that are taken."""

import json
import os
import socket
from pathlib import Path

import pytest

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.config import (
    Endpoint,
    Endpoints,
    check_free,
    read_endpoints,
    remove_endpoints,
    write_endpoints,
)


def test_written_file_is_the_documented_document(tmp_path: Path) -> None:
    """Every endpoint has a key, ``null`` when it is off, and the process is named."""
    path = write_endpoints(tmp_path, Endpoints(otlp_http="127.0.0.1:4318"))
    assert path == tmp_path / "endpoints.json"
    assert json.loads(path.read_text()) == {
        "otlp_grpc": None,
        "otlp_http": "127.0.0.1:4318",
        "web": None,
        "clickhouse": None,
        "jaeger": None,
        "pid": os.getpid(),
    }
    assert os.listdir(tmp_path) == ["endpoints.json"]


def test_file_is_read_back_and_removed(tmp_path: Path) -> None:
    """What is written is read; removing leaves nothing."""
    endpoints = Endpoints(web="127.0.0.1:1")
    write_endpoints(tmp_path, endpoints)
    assert read_endpoints(tmp_path) == (endpoints, os.getpid())
    remove_endpoints(tmp_path)
    assert read_endpoints(tmp_path) is None


def test_foreign_file_is_left_alone(tmp_path: Path) -> None:
    """A collector that stops does not remove the file of the next one."""
    file = tmp_path / "endpoints.json"
    file.write_text(json.dumps({"web": None, "pid": 1}))
    remove_endpoints(tmp_path)
    assert file.exists()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"pid": -1}', '{"pid": 1, "x": 2}'])
def test_damaged_file_is_none(tmp_path: Path, text: str) -> None:
    """A file that is not ours is as good as none."""
    (tmp_path / "endpoints.json").write_text(text)
    assert read_endpoints(tmp_path) is None


def test_taken_port_names_port_owner_and_flag() -> None:
    """The error of a taken port says which, who has it and how to move."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with pytest.raises(UnreachableError) as caught:
            check_free("grpc", Endpoint("127.0.0.1", port))
    assert caught.value.error == f"port {port} is in use"
    assert caught.value.suggestion.startswith("fleetspan up --grpc 127.0.0.1:0")
    assert caught.value.exit_code == 3
    if Path("/proc/net/tcp").exists():
        assert f"process {os.getpid()} (" in caught.value.because


def test_free_port_is_free() -> None:
    """Looking at a port leaves it free."""
    check_free("web", Endpoint("127.0.0.1", 0))


def test_foreign_address_is_refused() -> None:
    """An address that is not this machine's is not taken for a port in use."""
    with pytest.raises(UnreachableError, match=r"cannot listen on 192\.0\.2\.1:4317"):
        check_free("grpc", Endpoint("192.0.2.1", 4317))
