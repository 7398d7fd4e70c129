"""The files of ``deploy/``, as tests read them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from tests.collector_processor.running import environment

ROOT: Final = Path(__file__).parents[2]
DEPLOY: Final = ROOT / "deploy"
FLEETSPAN: Final = Path(sys.executable).with_name("fleetspan")
PORTS: Final = {"grpc": 4317, "http": 4318, "web": 4319, "clickhouse": 8123} | {
    "jaeger": 17271
}


def texts() -> Iterator[Path]:
    """Every file of ours; the plugin of Claude Code has its own tests."""
    for path in sorted(DEPLOY.rglob("*")):
        if path.is_file() and "claude-code-plugin" not in path.parts:
            yield path


def load(path: Path) -> Any:
    """The only document of a YAML file."""
    return yaml.safe_load(path.read_text("utf-8"))


def documents(text: str) -> list[dict[str, Any]]:
    """All documents of a YAML text but empty ones."""
    return [each for each in yaml.safe_load_all(text) if each is not None]


def only(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one document of a kind."""
    (one,) = (each for each in found if each["kind"] == kind)
    return one


def options_of(*command: str) -> set[str]:
    """The options that a command of ours says it has."""
    done = run(str(FLEETSPAN), *command, "--help")
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"--[a-z-]+", done.stdout))


def run(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program, without settings of this process."""
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(**variables),
    )
