"""The modules that are made of Jaeger's protocol files."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto

from fleetspan_collector.jaeger import protos
from fleetspan_collector.jaeger.protos.__main__ import HERE, ROOT, generate

NAMES = sorted(path.stem for path in HERE.glob("*.proto"))


@pytest.fixture(scope="module")
def generated(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The modules as they are made now, by file name."""
    folder = tmp_path_factory.mktemp("generated")
    return {path.name: path.read_text("utf-8") for path in generate(folder)}


def test_there_are_all_of_them() -> None:
    """Each file has its module, and the licence lies beside them."""
    assert NAMES == [
        *("capabilities", "dependency_storage", "expression", "health"),
        "trace_storage",
    ]
    assert "Apache License" in (HERE / "LICENSE").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_module_is_up_to_date(name: str, generated: dict[str, str]) -> None:
    """A module holds what its file says.

    Compared are descriptors and types: the text around them is the generator's own.
    """
    module = importlib.import_module(f"{protos.__name__}.{name}_pb2")
    path = HERE.relative_to(ROOT) / f"{name}.proto"
    found = FileDescriptorProto()
    module.DESCRIPTOR.CopyToProto(found)
    assert found.name == str(path)
    serialized = re.search(r"AddSerializedFile\(b'(.*)'\)", generated[f"{name}_pb2.py"])
    assert serialized is not None
    data = serialized[1].encode("latin-1").decode("unicode_escape").encode("latin-1")
    assert found == FileDescriptorProto.FromString(data)
    kept = (HERE / f"{name}_pb2.pyi").read_text("utf-8")
    for message in found.message_type:
        assert f"class {message.name}(" in kept
        for field in message.field:
            assert f"    {field.name}: " in kept


@pytest.mark.parametrize("name", NAMES)
def test_a_module_works_with_any_protobuf(name: str) -> None:
    """No module checks the version of protobuf: OpenTelemetry allows older ones."""
    text = (HERE / f"{name}_pb2.py").read_text("utf-8")
    assert "runtime_version" not in text


def test_the_server_does_not_need_the_generator() -> None:
    """The interface can be imported where grpcio-tools is not installed."""
    program = (
        "import sys; sys.modules['grpc_tools'] = None; "
        "import fleetspan_collector.jaeger; print('imported')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "imported\n"


def test_where_they_come_from() -> None:
    """Each file of Jaeger's says so, and what was changed."""
    for path in HERE.glob("*.proto"):
        text = Path(path).read_text("utf-8")
        assert path.stem == "health" or "jaeger-idl v0.14.0" in text.split("syntax")[0]
