"""Record what the real packages export: ``python -m …record [DIALECT …]``.

Each ``record_<dialect>.py`` here runs in an environment of its own, made from
``<dialect>.txt`` (``record_vercel.mjs`` from ``vercel.json``), against `provider`, once per
interface of a model. What it exports is stripped of what tells of the machine, and
written to ``../fixtures/<dialect>/<interface>.bin`` as one OTLP request.

Run by hand; needs the package registries, and the collector's own environment.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

sys.path.insert(0, str(Path(__file__).parent))
from provider import Provider

_HERE: Final = Path(__file__).parent
_FIXTURES: Final = _HERE.parent / "fixtures"
_OF_THE_MACHINE: Final = (
    "process.",
    "host.",
    "os.",
    "service.instance.id",
    "telemetry.distro",
)
_OF_THE_CODE: Final = ("code.", "thread.", "logfire.code", "net.", "server.port")

INTERFACES: Final = {
    "otel_genai": ("openai", "openai-responses", "anthropic", "anthropic-layers"),
    "otel_genai_v1_36": ("openai",),
    "openinference": ("openai", "anthropic"),
    "openinference_agents": ("openai-responses", "hand-off"),
    "openllmetry": ("openai", "anthropic", "anthropic-layers"),
    "vercel": ("openai", "anthropic", "own-openai", "own-anthropic"),
    "langfuse": ("openai", "anthropic"),
    "pydantic_ai": ("openai", "anthropic"),
    "anthropic": ("anthropic",),
    "strands": ("openai", "anthropic"),
    "agent_framework": ("openai", "anthropic"),
    "google_adk": ("openai",),
    "openlit": ("openai", "anthropic"),
}


def record(dialect: str, environments: Path, provider: Provider) -> None:
    """Record one dialect.

    Raises:
        subprocess.CalledProcessError: When its script fails.
    """
    command = _environment(dialect, environments)
    for interface in INTERFACES[dialect]:
        url = f"http://127.0.0.1:{provider.port}"
        subprocess.run(
            [*command, interface.removesuffix("-layers")],
            check=True,
            cwd=environments,
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(environments),
                "PYTHONPATH": str(_HERE),
                "PROVIDER_URL": url,
                "OPENAI_API_KEY": "none",
                "OPENAI_BASE_URL": f"{url}/v1",
                "ANTHROPIC_API_KEY": "none",
                "ANTHROPIC_BASE_URL": url,
                # The package of Anthropic reports every request too.
                "ANTHROPIC_OPEN_TELEMETRY": str(
                    dialect == "anthropic" or interface.endswith("-layers")
                ).lower(),
                "OTEL_EXPORTER_OTLP_ENDPOINT": url,
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_SERVICE_NAME": dialect,
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            },
        )
        request = ExportTraceServiceRequest.FromString(provider.take())
        _strip(request, environments)
        folder = _FIXTURES / dialect
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{interface}.bin").write_bytes(
            request.SerializeToString(deterministic=True)
        )
        spans = sum(len(s.spans) for r in request.resource_spans for s in r.scope_spans)
        sys.stderr.write(f"{dialect} {interface}: {spans} spans\n")
    _write_versions(dialect, command)


def _environment(dialect: str, environments: Path) -> list[str]:
    folder = environments / dialect
    if dialect == "vercel":
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(_HERE / "vercel.json", folder / "package.json")
        shutil.copy(_HERE / "record_vercel.mjs", folder)
        if not (folder / "node_modules").exists():
            subprocess.run(["npm", "install", "--silent"], check=True, cwd=folder)
        return ["node", str(folder / "record_vercel.mjs")]
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
        listed = str(_HERE / f"{dialect}.txt")
        subprocess.run(
            [str(python), "-m", "pip", "install", "-q", "-r", listed], check=True
        )
    return [str(python), str(_HERE / f"record_{dialect}.py")]


def _write_versions(dialect: str, command: list[str]) -> None:
    source = _HERE / ("vercel.json" if dialect == "vercel" else f"{dialect}.txt")
    (_FIXTURES / dialect / "recorded.txt").write_text(
        f"Recorded by record/{Path(command[1]).name} with these packages:\n\n"
        + source.read_text("utf-8"),
        "utf-8",
    )


def _strip(request: ExportTraceServiceRequest, environments: Path) -> None:
    """Take out what tells of the machine.

    Raises:
        ValueError: When something of it is left.
    """
    for of_resource in request.resource_spans:
        _without(of_resource.resource.attributes, _OF_THE_MACHINE)
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                _without(span.attributes, _OF_THE_CODE)
                for event in span.events:
                    _without(event.attributes, ("exception.stacktrace",))
    left = request.SerializeToString()
    for word in (str(environments), str(_HERE), os.uname().nodename):
        if word.encode() in left:
            raise ValueError(f"{word!r} is left in the recording")


def _without(attributes: list, prefixes: tuple[str, ...]) -> None:  # type: ignore[type-arg]
    kept = [each for each in attributes if not each.key.startswith(prefixes)]
    del attributes[:]
    attributes.extend(kept)


def main() -> None:
    """Record the dialects that are named, or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dialects", nargs="*", default=list(INTERFACES))
    parser.add_argument("--environments", type=Path, required=True)
    given = parser.parse_args()
    given.environments.mkdir(parents=True, exist_ok=True)
    provider = Provider()
    try:
        for dialect in given.dialects:
            record(dialect, given.environments.resolve(), provider)
    finally:
        provider.close()


if __name__ == "__main__":
    main()
