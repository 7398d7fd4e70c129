"""The command: a collector that runs already, ``--keep``, and what goes wrong."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.demo._scenarios import (
    DEARER,
    NEW_FAILURES,
    REPORT_READ,
    SLOWER,
)

pytestmark = pytest.mark.integration

Start = Callable[..., tuple[subprocess.Popen[bytes], dict[str, Any]]]
DEADLINE_S = 180.0


@pytest.fixture
def start(tmp_path: Path, clean_environment: dict[str, str]) -> Iterator[Start]:
    """Start a command that goes on, and return its process and its JSON document."""
    started: list[subprocess.Popen[bytes]] = []

    def run(*arguments: str) -> tuple[subprocess.Popen[bytes], dict[str, Any]]:
        path = tmp_path / f"out-{len(started)}"
        with path.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "fleetspan_collector", *arguments, "--json"],
                env=clean_environment,
                stdout=out,
                stderr=subprocess.DEVNULL,
            )
        started.append(process)
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline and process.poll() is None:
            try:
                return process, json.loads(path.read_bytes())
            except ValueError:
                time.sleep(0.05)
        raise AssertionError(f"{arguments} printed no document")

    yield run
    for process in started:
        process.terminate()
        process.wait()


def answers(web: str) -> bool:
    """Say whether a collector answers on its web port."""
    host, port = web.split(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=5)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def processes_of(data: Path) -> list[int]:
    """Return the ids of the processes that have this directory on their command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        if str(data) in line and int(path.parent.name) != os.getpid():
            found.append(int(path.parent.name))
    return found


def test_runs_are_added(start, command, tmp_path):
    """With a collector at work the demo goes there; a second demo adds the same runs."""
    data = str(tmp_path / "data")
    ports = [f"--{name}=127.0.0.1:0" for name in ("grpc", "http", "web")]
    ports += ["--clickhouse=off", "--jaeger=off"]
    collector, listening = start("up", "--data", data, *ports)
    outcomes = []
    for _ in range(2):
        done = command("demo", "--runs", "16", "--seed", "7", "--data", data, "--json")
        assert done.returncode == 0, done.stderr
        outcomes.append(json.loads(done.stdout))
    first, second = outcomes
    assert first["endpoints"] == second["endpoints"]
    assert first["endpoints"]["web"] == listening["web"]
    assert first["totals"] == pytest.approx(second["totals"])
    listed = json.loads(command("ls", "--data", data, "--json").stdout)["runs"]
    assert len({run["run_id"] for run in listed}) == 32
    assert collector.poll() is None


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 128 + signal.SIGTERM)]
)
def test_keep(start, tmp_path, number, code):
    """--keep leaves the collector up until a signal; then nothing lives on."""
    data = tmp_path / "data"
    demo, outcome = start("demo", "--keep", "--runs", "16", "--data", str(data))
    assert answers(outcome["endpoints"]["web"])
    demo.send_signal(number)
    assert demo.wait(DEADLINE_S) == code
    assert not answers(outcome["endpoints"]["web"])
    if Path("/proc/self").exists():
        assert processes_of(data) == []


@pytest.mark.slow
def test_losses_are_a_failure(command, tmp_path):
    """When the collector did not take what was sent, the demo says so and fails."""
    data = str(tmp_path / "data")
    limit = "request_limit_bytes=1KiB"
    done = command("demo", "--runs", "16", "--data", data, "--set", limit)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(
        "error: what is stored is not what was sent\nbecause: "
    )


@pytest.mark.slow
def test_release(command, tmp_path):
    """With 200 runs the review names exactly what the fleet's new version has changed."""
    done = command("demo", "--data", str(tmp_path / "data"), "--json")
    assert done.returncode == 0, done.stderr
    changes = {
        f"{each['dimension']} {each['subject']} {each['measure']}": each
        for each in json.loads(done.stdout)["review"]["changes"]
        if each["because_of"] is None
    }
    assert changes.keys() == {
        "tool web_search seconds",
        "run research-question usd",
        "tool find_customer failures",
    }
    slower = changes["tool web_search seconds"]
    assert slower["ratio"] == pytest.approx(SLOWER, abs=0.1)
    # The writer reads 18,000 tokens more, which are written to the cache.
    dearer = changes["run research-question usd"]
    read = REPORT_READ * (DEARER - 1) * 3.75 / 1e6
    assert dearer["low"] <= read <= dearer["high"]
    failing = changes["tool find_customer failures"]
    assert failing["low"] <= NEW_FAILURES <= failing["high"]


def test_too_few_runs(command):
    """Fewer runs than there are kinds of run is a mistake in the command line."""
    done = command("demo", "--runs", "15")
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def test_collector_that_cannot_start(command, tmp_path):
    """What keeps the collector from starting is passed on."""
    place = tmp_path / "file"
    place.write_text("not a directory")
    done = command("demo", "--runs", "16", "--data", str(place))
    assert done.returncode == 3
    assert done.stderr.splitlines()[0].startswith("error: ")
    assert str(place) in done.stderr
