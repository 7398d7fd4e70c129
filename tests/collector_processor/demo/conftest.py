"""One demo of 18 runs, through the command, and what is read of it afterwards."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., subprocess.CompletedProcess[str]]


def environment() -> dict[str, str]:
    """Return this process's environment without settings of the user."""
    left_out = ("FLEETSPAN_", "OTEL_", "TRACEPARENT", "TRACESTATE", "BAGGAGE")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(left_out)
    }
    return kept | {"COLUMNS": "120", "NO_COLOR": "1", "TZ": "UTC"}


def run_command(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "fleetspan_collector", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


class Demo:
    """A finished demo, whose collector has ended.

    Attributes:
        outcome: What it printed with ``--json``.
        error: What it wrote to standard error.
        truth: What the agent programs noted.
    """

    def __init__(self, data: Path, done: subprocess.CompletedProcess[str]) -> None:
        self._data = data
        self.error = done.stderr
        self.outcome: dict[str, Any] = json.loads(done.stdout)
        self.truth: dict[str, Any] = json.loads(Path(self.outcome["truth"]).read_text())

    @functools.cached_property
    def runs(self) -> dict[str, dict[str, Any]]:
        """The runs by id, as ``ls --json`` gives them."""
        return {run["run_id"]: run for run in self._read("ls")["runs"]}

    @functools.cached_property
    def findings(self) -> list[dict[str, Any]]:
        """What ``findings --json`` gives."""
        found: list[dict[str, Any]] = self._read("findings")["findings"]
        return found

    def special(self, what: str) -> dict[str, Any]:
        """Return the run that is odd in this way, as ``show --json`` gives it."""
        return self.show(self.outcome["specials"][what])

    def show(self, run_id: str) -> dict[str, Any]:
        """Return a run as ``show --json`` gives it."""
        return self._read("show", run_id)

    def sql(self, query: str) -> list[dict[str, Any]]:
        """Return the rows of a statement."""
        settings = " SETTINGS output_format_json_quote_64bit_integers = 0"
        rows: list[dict[str, Any]] = self._read("sql", query + settings)["data"]
        return rows

    def _read(self, *arguments: str) -> dict[str, Any]:
        done = run_command(*arguments, "--json", "--data", str(self._data))
        assert done.returncode == 0, done.stderr
        document: dict[str, Any] = json.loads(done.stdout)
        return document


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """A demo of 18 runs, made once and only read."""
    data = tmp_path_factory.mktemp("demo") / "data"
    done = run_command("demo", "--runs", "18", "--data", str(data), "--json")
    assert done.returncode == 0, done.stderr
    return Demo(data, done)


@pytest.fixture
def command() -> Command:
    """Run the command as a process of its own."""
    return run_command


@pytest.fixture
def clean_environment() -> dict[str, str]:
    """This process's environment without settings of the user."""
    return environment()
