"""``fleetspan run`` as a user types it, beside one running collector."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.collector_processor.run.programs.provider import Provider
from tests.collector_processor.running import Collector, environment

PROGRAMS = Path(__file__).with_name("programs")
RUN = (sys.executable, "-m", "fleetspan_collector", "run")


@dataclass
class Ran:
    """What a run left behind: the program's output, ours, and the document."""

    code: int
    out: str
    err: str
    document: dict[str, Any]

    @property
    def usage(self) -> dict[str, Any]:
        """Sums over its calls."""
        usage: dict[str, Any] = self.document["usage"]
        return usage


class Runner:
    """Runs programs under the collector of a data directory.

    Args:
        data: The data directory.
        folder: Where the programs run, and where reports are written.
    """

    def __init__(self, data: Path, folder: Path) -> None:
        self.data = data
        self.folder = folder
        self._number = 0

    def __call__(self, *command: str, stdin: str = "", **variables: str) -> Ran:
        """Run a program; ``variables`` are added to its environment."""
        self._number += 1
        report = self.folder / f"report-{self._number}.json"
        done = subprocess.run(
            [*RUN, f"--data={self.data}", f"--report={report}", "--", *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env=environment(**variables),
        )
        written = report.read_text("utf-8") if report.exists() else "{}"
        return Ran(done.returncode, done.stdout, done.stderr, json.loads(written))

    def briefly(self, *command: str, stdin: str = "", **variables: str) -> Ran:
        """Run a program without a summary."""
        done = subprocess.run(
            [*RUN, f"--data={self.data}", "--quiet", "--", *command],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=self.folder,
            env=environment(**variables),
        )
        return Ran(done.returncode, done.stdout, done.stderr, {})

    def python(self, source: str, *arguments: str, **variables: str) -> Ran:
        """Run a Python program from its text, with this environment's Python."""
        script = self.folder / "agent.py"
        script.write_text(source, "utf-8")
        return self(sys.executable, "agent.py", *arguments, **variables)


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A collector that runs already."""
    with Collector(tmp_path_factory.mktemp("run") / "data") as running:
        yield running


@pytest.fixture
def runner(collector: Collector, tmp_path: Path) -> Runner:
    """Runs programs beside the running collector."""
    return Runner(collector.data, tmp_path)


@pytest.fixture
def runner_alone(tmp_path: Path) -> Runner:
    """Runs programs where no collector runs."""
    folder = tmp_path / "folder"
    folder.mkdir()
    return Runner(tmp_path / "data", folder)


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """A provider of models on loopback."""
    with Provider() as serving:
        yield serving
