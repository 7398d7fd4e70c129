"""Makes the modules of this folder from its ``.proto`` files; needs ``grpcio-tools``."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from google.protobuf import duration_pb2, timestamp_pb2
from google.protobuf.descriptor import FileDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from opentelemetry.proto.trace.v1 import trace_pb2

HERE: Final = Path(__file__).parent
ROOT: Final = HERE.parents[2]
_NOT_CHECKED: Final = "# ruff: noqa\n# fmt: off\n"
# Generated modules refuse a protobuf that is older than their generator. What they hold
# are descriptors, which every protobuf that OpenTelemetry works with can read.
_VERSION: Final = re.compile(
    r"^# Protobuf Python Version: .*\n"
    r"|^from google\.protobuf import runtime_version .*\n"
    r"|^_runtime_version\.ValidateProtobufRuntimeVersion\([^)]*\)\n",
    re.MULTILINE,
)


def generate(into: Path) -> list[Path]:
    """Write the modules and their types.

    Args:
        into: The folder under which the package's folders are, or come to be.

    Returns:
        What was written.
    """
    sources = sorted(path.relative_to(ROOT) for path in HERE.glob("*.proto"))
    with tempfile.NamedTemporaryFile(suffix=".binpb") as known:
        known.write(_opentelemetry().SerializeToString())
        known.flush()
        subprocess.run(  # noqa: S603 - our own files
            [
                *(sys.executable, "-m", "grpc_tools.protoc", f"--proto_path={ROOT}"),
                f"--descriptor_set_in={known.name}",
                *(f"--python_out={into}", f"--pyi_out={into}"),
                *map(str, sources),
            ],
            check=True,
        )
    written = [
        into / source.with_name(f"{source.stem}_pb2{suffix}")
        for source in sources
        for suffix in (".py", ".pyi")
    ]
    for path in written:
        text = _VERSION.sub("", path.read_text("utf-8"))
        text = text.replace("_Mapping]", "_Mapping[str, object]]")
        path.write_text(_NOT_CHECKED + text, "utf-8")
    return written


def _opentelemetry() -> FileDescriptorSet:
    """OTLP as the installed package has it, and what the messages of Jaeger need."""
    found: dict[str, FileDescriptor] = {}

    def add(file: FileDescriptor) -> None:
        if file.name not in found:
            for needed in file.dependencies:
                add(needed)
            found[file.name] = file

    for module in (trace_pb2, duration_pb2, timestamp_pb2):
        add(module.DESCRIPTOR)
    files = FileDescriptorSet()
    for file in found.values():
        file.CopyToProto(files.file.add())
    return files


if __name__ == "__main__":
    generate(ROOT)
