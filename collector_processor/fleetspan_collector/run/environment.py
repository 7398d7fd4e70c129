"""The environment variables with which a program reports to the collector."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Final

from fleetspan_collector.access.owner import OwnerPass

INVOCATION_ATTRIBUTE: Final = "fleetspan.invocation.id"
"""Resource attribute that names the run of the command."""

_INJECTED: Final = Path(__file__).with_name("injected")
_SIGNALS: Final = ("TRACES", "METRICS", "LOGS")
_SCRIPTS: Final = (".py", ".pyz", ".js", ".mjs", ".cjs", ".ts", ".mts", ".sh")
_NODE_PACKAGE: Final = "@opentelemetry/auto-instrumentations-node"
# Unless the user says otherwise. Short delays: what a killed process leaves unsent.
_DEFAULTS: Final = {
    "OTEL_SEMCONV_STABILITY_OPT_IN": "gen_ai_latest_experimental",
    "OTEL_BSP_SCHEDULE_DELAY": "1000",
    "OTEL_BLRP_SCHEDULE_DELAY": "1000",
    # Claude Code's own names for the same.
    "OTEL_TRACES_EXPORT_INTERVAL": "1000",
    "OTEL_LOGS_EXPORT_INTERVAL": "1000",
    "OTEL_METRIC_EXPORT_INTERVAL": "10000",
}
_CLAUDE_CODE: Final = {
    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
}
# OpenInference and OpenLLMetry record prompts and answers unless told not to.
_WITHOUT_CONTENT: Final = {
    "OPENINFERENCE_HIDE_INPUTS": "true",
    "OPENINFERENCE_HIDE_OUTPUTS": "true",
    "TRACELOOP_TRACE_CONTENT": "false",
}
_CONTENT_SWITCHES: Final = (
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT",
    "FLEETSPAN_CAPTURE_CONTENT",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a program reports to.

    Attributes:
        invocation: Id of the run of the command.
        http: The collector's OTLP HTTP receiver, ``host:port``.
        grpc: Its gRPC receiver; ``None`` when it is off.
        notes: Directory in which processes note what they switched on.
        shown: What lets the program in.
    """

    invocation: str
    http: str
    grpc: str | None
    notes: Path
    shown: OwnerPass = field(default_factory=OwnerPass)


def environment(
    base: Mapping[str, str], command: Sequence[str], target: Target, cwd: Path
) -> dict[str, str]:
    """Return the environment of the program.

    Args:
        base: The environment that it would have.
        command: The program and its arguments.
        target: Where it reports to.
        cwd: Where it starts; Node's packages are looked for from there.
    """
    made = {**_DEFAULTS, **_CLAUDE_CODE, **base}
    for name in overridden(base):
        made.pop(name, None)
    if not any(_is_on(base.get(name, "")) for name in _CONTENT_SWITCHES):
        made = {**_WITHOUT_CONTENT, **made}
    url = f"{target.shown.scheme}://{target.http}"
    made |= {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "FLEETSPAN_ENDPOINT": url,
        "_FLEETSPAN_RUN": str(target.notes),
        "_FLEETSPAN_RUN_ID": target.invocation,
        "_FLEETSPAN_RUN_HTTP": url,
        "_FLEETSPAN_RUN_GRPC": target.grpc or "",
        "OTEL_RESOURCE_ATTRIBUTES": _resource(base, target.invocation),
        "PYTHONPATH": _before(str(_INJECTED), base.get("PYTHONPATH", "")),
    }
    made |= target.shown.otlp_variables()
    if target.shown.sender:
        made["FLEETSPAN_KEY"] = target.shown.sender
    for signal in _SIGNALS:
        name = f"OTEL_{signal}_EXPORTER"
        if "otlp" not in base.get(name, "").split(","):
            made[name] = "otlp"
    if (service := _service(base, command)) is not None:
        made["OTEL_SERVICE_NAME"] = service
    if (register := node_register(cwd)) is not None:
        option = f'--require "{_escaped(str(register))}"'
        made["NODE_OPTIONS"] = f"{option} {base.get('NODE_OPTIONS', '')}".rstrip()
        # Without those that ask a cloud's metadata service, in vain on most machines.
        made.setdefault("OTEL_NODE_RESOURCE_DETECTORS", "env,host,os,process")
    for name in ("NO_PROXY", "no_proxy"):
        # A proxy elsewhere cannot reach this machine's loopback.
        if any(each.lower().endswith("_proxy") for each in base):
            made[name] = _with(base.get(name, ""), target.http.rpartition(":")[0])
    return made


def overridden(base: Mapping[str, str]) -> list[str]:
    """Name the user's variables that point telemetry elsewhere, with its credentials."""
    names = ["OTEL_EXPORTER_OTLP_HEADERS", "FLEETSPAN_PROTOCOL"]
    for what in ("ENDPOINT", "PROTOCOL", "HEADERS"):
        names += [f"OTEL_EXPORTER_OTLP_{signal}_{what}" for signal in _SIGNALS]
    names += ["OTEL_EXPORTER_OTLP_ENDPOINT", "FLEETSPAN_ENDPOINT"]
    names.append("FLEETSPAN_SNAPSHOT_ENDPOINT")
    return [name for name in names if base.get(name)]


def node_register(cwd: Path) -> Path | None:
    """Return OpenTelemetry's script for Node as a program in ``cwd`` would find it.

    By its full path: a child process elsewhere would fail to find it by its name.
    """
    for folder in (cwd, *cwd.parents):
        package = folder / "node_modules" / _NODE_PACKAGE
        try:
            exports = json.loads((package / "package.json").read_text("utf-8"))
            entry = exports.get("exports", {}).get("./register")
        except (OSError, ValueError, AttributeError):
            continue
        while isinstance(entry, dict):
            entry = entry.get("require") or entry.get("node") or entry.get("default")
        if isinstance(entry, str) and (package / entry).is_file():
            return (package / entry).resolve()
        return None
    return None


def _service(base: Mapping[str, str], command: Sequence[str]) -> str | None:
    """Name the service after the script, where the user has not named it."""
    said = base.get("OTEL_RESOURCE_ATTRIBUTES", "")
    if base.get("OTEL_SERVICE_NAME") or "service.name=" in said:
        return None
    program = PurePath(command[0]).name
    if program == "claude":
        # It names itself.
        return None
    for index, word in enumerate(command):
        if word == "-m" and len(command) > index + 1 and program.startswith("py"):
            return command[index + 1]
        if word == "-c":
            break
        if word.endswith(_SCRIPTS):
            return PurePath(word).stem
    return program


def _resource(base: Mapping[str, str], invocation: str) -> str:
    pairs = [
        pair
        for pair in base.get("OTEL_RESOURCE_ATTRIBUTES", "").split(",")
        if pair.strip() and pair.partition("=")[0].strip() != INVOCATION_ATTRIBUTE
    ]
    return ",".join([*pairs, f"{INVOCATION_ATTRIBUTE}={invocation}"])


def _before(first: str, others: str) -> str:
    kept = [each for each in others.split(os.pathsep) if each and each != first]
    return os.pathsep.join([first, *kept])


def _with(listed: str, host: str) -> str:
    hosts = [each for each in listed.split(",") if each]
    return ",".join(hosts if host in hosts or "*" in hosts else [*hosts, host])


def _escaped(path: str) -> str:
    """Write a path for NODE_OPTIONS, which knows double quotes and backslashes."""
    return path.replace("\\", "\\\\").replace('"', '\\"')


def _is_on(word: str) -> bool:
    return word.strip().lower() not in {"", "0", "false", "off", "no", "no_content"}
