"""The variables that a program gets."""

import ast
import json
from pathlib import Path

import pytest

from fleetspan_collector.run import environment as made
from fleetspan_collector.run.environment import Target, environment, overridden

TARGET = Target(
    invocation="i-1", http="127.0.0.1:4318", grpc="127.0.0.1:4317", notes=Path("/notes")
)
INJECTED = Path(made.__file__).with_name("injected")


def _variables(*command: str, **base: str) -> dict[str, str]:
    return environment(base, command or ("python", "agent.py"), TARGET, Path("/"))


def test_everything_points_at_the_collector() -> None:
    """Also what spoke of another backend, whose credentials stay out of ours."""
    base = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://elsewhere",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret",
        "OTEL_RESOURCE_ATTRIBUTES": "team=a,fleetspan.invocation.id=outer",
        "OTEL_TRACES_EXPORTER": "console,otlp",
        "PATH": "/bin",
    }
    found = _variables(**base)
    assert {
        name: found.get(name) for name in (*base, "OTEL_EXPORTER_OTLP_ENDPOINT")
    } == {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": None,
        "OTEL_EXPORTER_OTLP_HEADERS": None,
        "OTEL_RESOURCE_ATTRIBUTES": "team=a,fleetspan.invocation.id=i-1",
        "OTEL_TRACES_EXPORTER": "console,otlp",
        "PATH": "/bin",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318",
    }
    assert overridden(base) == [
        "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    ]


def test_claude_code_is_told_to_report_all_it_can() -> None:
    """Its switches, on top of OpenTelemetry's; what the user has said stays."""
    found = _variables("claude", "-p", "hello", OTEL_LOGS_EXPORT_INTERVAL="5000")
    assert found["CLAUDE_CODE_ENABLE_TELEMETRY"] == "1"
    assert found["CLAUDE_CODE_ENHANCED_TELEMETRY_BETA"] == "1"
    assert found["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert [
        found[f"OTEL_{each}_EXPORTER"] for each in ("TRACES", "METRICS", "LOGS")
    ] == [*("otlp", "otlp", "otlp")]
    assert found["OTEL_LOGS_EXPORT_INTERVAL"] == "5000"
    assert "OTEL_SERVICE_NAME" not in found


@pytest.mark.parametrize(
    ("command", "service"),
    [
        (("python", "src/agent.py", "--x"), "agent"),
        (("python3.12", "-m", "crew.main"), "crew.main"),
        (("uv", "run", "agent.py"), "agent"),
        (("node", "server.mjs"), "server"),
        (("python", "-c", "print('a.py')"), "python"),
        (("/usr/bin/make", "agents"), "make"),
    ],
)
def test_a_service_is_named_after_its_script(
    command: tuple[str, ...], service: str
) -> None:
    """Unless the user has named it."""
    assert _variables(*command)["OTEL_SERVICE_NAME"] == service
    assert _variables(*command, OTEL_SERVICE_NAME="mine")["OTEL_SERVICE_NAME"] == "mine"


def test_content_stays_out_unless_it_is_asked_for() -> None:
    """OpenInference and OpenLLMetry would record it by default."""
    assert _variables()["OPENINFERENCE_HIDE_INPUTS"] == "true"
    asked = _variables(OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="span_only")
    assert "OPENINFERENCE_HIDE_INPUTS" not in asked


def test_nodes_instrumentations_are_loaded_where_they_are_installed(
    tmp_path: Path,
) -> None:
    """By their full path, so that a child process elsewhere finds them too."""
    folder = tmp_path / "an app"
    package = folder / "node_modules" / "@opentelemetry" / "auto-instrumentations-node"
    register = package / "build" / "src" / "register.js"
    register.parent.mkdir(parents=True)
    register.write_text("")
    exports = {"exports": {"./register": "./build/src/register.js"}}
    (package / "package.json").write_text(json.dumps(exports))
    command, base = ("node", "a.js"), {"NODE_OPTIONS": "--no-warnings"}
    found = environment(base, command, TARGET, folder)
    assert found["NODE_OPTIONS"] == f'--require "{register}" --no-warnings'
    assert (
        environment(base, command, TARGET, tmp_path)["NODE_OPTIONS"] == "--no-warnings"
    )


def test_the_injected_folder_shadows_nothing() -> None:
    """It holds one module, in syntax that any Python 3 can read."""
    names = [each.name for each in INJECTED.iterdir() if each.name != "__pycache__"]
    assert names == ["sitecustomize.py"]
    source = (INJECTED / "sitecustomize.py").read_text("utf-8")
    ast.parse(source, feature_version=(3, 4))
    for path in INJECTED.with_name("inside").glob("*.py"):
        ast.parse(path.read_text("utf-8"), feature_version=(3, 9))
