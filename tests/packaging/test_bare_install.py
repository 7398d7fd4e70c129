"""What a bare `pip install fleetspan` brings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the project, without extras, into an environment of its own."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    python = folder / "venv" / "bin" / "python"
    subprocess.run(
        [
            python,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            ROOT,
        ],
        check=True,
        cwd=folder,
    )
    return python


def _run(python: Path, source: str) -> str:
    environ = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "FLEETSPAN_", "PYTHON"))
    }
    done = subprocess.run(
        [python, "-c", source],
        check=True,
        capture_output=True,
        text=True,
        cwd=python.parent,
        env=environ,
    )
    return done.stdout.strip()


def test_a_bare_install_has_no_server_dependency(bare_python: Path) -> None:
    """No gRPC, engine, Arrow or web framework comes with the SDK."""
    listed = subprocess.run(
        [bare_python, "-m", "pip", "list", "--format=json"],
        check=True,
        capture_output=True,
        text=True,
    )
    installed = {
        each["name"].lower().replace("_", "-") for each in json.loads(listed.stdout)
    }
    assert "fleetspan" in installed
    assert "opentelemetry-sdk" in installed
    assert not installed & {
        "chdb",
        "clickhouse-connect",
        "grpcio",
        "numpy",
        "pandas",
        "pyarrow",
        "pydantic",
        "rich",
        "starlette",
        "typer",
        "uvicorn",
    }


def test_a_bare_install_works_and_is_typed(bare_python: Path) -> None:
    """The SDK imports without heavy modules, records, and carries py.typed."""
    found = _run(
        bare_python,
        "import sys, fleetspan, pathlib\n"
        "heavy = [m for m in ('opentelemetry.sdk', 'google.protobuf', 'requests')"
        " if m in sys.modules]\n"
        "print(heavy, pathlib.Path(fleetspan.__file__).with_name('py.typed').exists())\n"
        "from fleetspan.testing import capture\n"
        "with capture() as recorded:\n"
        "    with fleetspan.agent('a'), fleetspan.llm('m'):\n"
        "        pass\n"
        "print(recorded.tree())\n",
    )
    assert found == "[] True\ninvoke_agent a\n  chat m"


def test_without_the_grpc_extra_the_answer_is_a_pip_line(bare_python: Path) -> None:
    """Asking for gRPC says what to install."""
    found = _run(
        bare_python,
        "import fleetspan\n"
        "try:\n"
        "    fleetspan.configure(protocol='grpc')\n"
        "except fleetspan.ConfigError as error:\n"
        "    print(error)\n",
    )
    assert found.endswith("try: pip install 'fleetspan[grpc]'")


def test_a_bare_install_has_the_hook(bare_python: Path, tmp_path: Path) -> None:
    """The hook of Claude Code comes with it, as a command and as a script by path."""
    script = _run(
        bare_python, "import fleetspan_hook.run; print(fleetspan_hook.run.__file__)"
    )
    command = bare_python.with_name("fleetspan-hook")
    for line in ([command], [bare_python, "-I", "-S", script]):
        done = subprocess.run(
            [*line, "--endpoint", "http://127.0.0.1:9"],
            input=b"{}",
            capture_output=True,
            check=False,
            env={"FLEETSPAN_SPOOL": str(tmp_path)},
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert len(list(tmp_path.glob("*/0*"))) == 2
