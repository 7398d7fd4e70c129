"""Running the command: in this process over runs in memory, and as a real process."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.cli import _run
from fleetspan_collector.cli._source import LocalSource
from fleetspan_collector.store.rows import RunDetail
from fleetspan_collector.web.memory_reader import MemoryReader


@dataclass
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str


class Command:
    """The command in this process, reading the runs of a `MemoryReader`."""

    def __init__(self, capfd: pytest.CaptureFixture[str]) -> None:
        self._capfd = capfd

    def __call__(self, *arguments: str) -> Outcome:
        """Run it."""
        code = _run.run(arguments)
        out, err = self._capfd.readouterr()
        return Outcome(code, out, err)


@pytest.fixture
def quiet_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of the user, and a terminal of 130 columns without colours."""
    for name in list(os.environ):
        if name.startswith(("FLEETSPAN_", "OTEL_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("FLEETSPAN_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "130")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def command(quiet_environment: None, capfd: pytest.CaptureFixture[str]) -> Command:
    """The command in this process, with nothing to read."""
    return Command(capfd)


@pytest.fixture
def fleet_command(
    command: Command, fleet: list[RunDetail], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """The command over three runs in memory in place of a store."""
    reader = MemoryReader(fleet, answers={"SELECT 1": b"1\n"})

    @contextmanager
    def open_memory(settings: Any) -> Iterator[LocalSource]:
        yield LocalSource(reader)

    for module in ("ls_command", "show_command", "sql_command"):
        name = f"fleetspan_collector.cli.{module}.open_source"
        monkeypatch.setattr(name, open_memory)
    return command


@pytest.fixture
def process(quiet_environment: None) -> Any:
    """Run the command as its own process."""

    def run(*arguments: str, **more: Any) -> Outcome:
        done = subprocess.run(
            [sys.executable, "-m", "fleetspan_collector", *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **more,
        )
        return Outcome(done.returncode, done.stdout, done.stderr)

    return run
