"""``up`` and what reads beside it and after it: real processes, a real engine."""

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.collector_processor.cli.conftest import Outcome

pytestmark = [pytest.mark.integration, pytest.mark.slow]

AGENTS = """
import sys
import fleetspan

fleetspan.configure(endpoint="http://" + sys.argv[1], service_name="test")
with fleetspan.run("nightly", session="s-1"):
    with fleetspan.agent("lead"):
        with fleetspan.llm("claude-sonnet-4-5", provider="anthropic") as call:
            call.usage(input_tokens=120, cache_read_tokens=8000, output_tokens=340)
        with fleetspan.agent("scout", type="Explore"):
            with fleetspan.llm("no-such-model", provider="anthropic") as call:
                call.usage(input_tokens=10, output_tokens=5)
"""
FREE = "127.0.0.1:0"
OFF = ("--clickhouse=off", "--jaeger=off")


class Up:
    """A running ``fleetspan up``."""

    def __init__(self, process: "subprocess.Popen[str]", document: Any) -> None:
        self.process = process
        self.document = document

    def end(self, which: signal.Signals) -> Outcome:
        """Send a signal and wait for the end."""
        self.process.send_signal(which)
        out, err = self.process.communicate(timeout=60)
        return Outcome(self.process.returncode, out, err)


@pytest.fixture
def up(quiet_environment: None) -> Iterator[Up]:
    """A collector on free ports."""
    ports = ["--grpc", FREE, "--http", FREE, "--web", FREE, *OFF]
    with subprocess.Popen(
        [sys.executable, "-m", "fleetspan_collector", "up", "--json", *ports],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Up(process, json.loads(first_document(process)))
        finally:
            process.kill()


def first_document(process: "subprocess.Popen[str]") -> str:
    """Read up to the line that closes the first document, or to the end."""
    assert process.stdout is not None
    # A start that hangs is ended, and then so is its output.
    alarm = threading.Timer(60, process.kill)
    alarm.start()
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            break
    alarm.cancel()
    return text


def test_the_file_says_what_it_listens_on(up: Up, tmp_path: Path) -> None:
    """What is printed is what others read, with the ports that were found."""
    written = json.loads((tmp_path / "data" / "endpoints.json").read_text())
    printed = {name: up.document[name] for name in written}
    assert printed == written
    assert written["pid"] == up.process.pid
    assert (written["clickhouse"], written["jaeger"]) == (None, None)
    assert not written["web"].endswith(":0")


def test_runs_are_read_beside_it_and_after_it(
    up: Up, process: Any, tmp_path: Path
) -> None:
    """The same answers from the owner, and from the store once it has ended."""
    subprocess.run(
        [sys.executable, "-c", AGENTS, up.document["otlp_http"]], check=True, timeout=60
    )
    beside = process("ls", "--json")
    runs = json.loads(beside.out)["runs"]
    assert [(run["name"], run["session_id"], run["agents"]) for run in runs] == [
        ("nightly", "s-1", 2)
    ]
    assert (runs[0]["llm_calls"], runs[0]["unpriced_calls"]) == (2, 1)
    assert (runs[0]["input_tokens"], runs[0]["cache_read_tokens"]) == (130, 8000)
    done = up.end(signal.SIGTERM)
    assert (done.code, (tmp_path / "data" / "endpoints.json").exists()) == (0, False)
    assert process("ls", "--json").out == beside.out
    shown = json.loads(process("show", runs[0]["run_id"][:8], "--json").out)
    lead, scout = shown["agents"]
    assert (lead["name"], lead["parent"]) == ("lead", None)
    assert (scout["type"], scout["parent"]) == ("Explore", lead["agent_id"])


def test_doctor_finds_all_well(up: Up, process: Any) -> None:
    """A span goes the whole way through a collector that runs."""
    done = process("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.out)["checks"]}
    assert checks["round trip"]["status"] == "ok"
    assert checks["schema"]["status"] == "ok"
    assert checks["ready"]["status"] == "ok"


def test_a_second_one_is_refused_and_harms_nothing(up: Up, process: Any) -> None:
    """The directory has one owner, whose pid is named; it goes on."""
    done = process("up", "--grpc", FREE, "--http", FREE, "--web", FREE, *OFF)
    assert done.code == 3
    assert f"process {up.process.pid} " in done.err
    assert process("ls").code == 0


def test_after_a_kill_the_commands_open_the_store(up: Up, process: Any) -> None:
    """What a killed collector left behind is no owner."""
    up.process.kill()
    up.process.wait(timeout=60)
    done = process("ls", "--json")
    assert (done.code, json.loads(done.out)["runs"]) == (0, [])


def test_doctor_runs_a_collector_of_its_own(process: Any, tmp_path: Path) -> None:
    """With nobody running and nothing recorded, the check leaves nothing behind."""
    done = process("doctor", "--json", "--set", "grpc=off", "--set", "http=127.0.0.1:0")
    checks = {check["name"]: check for check in json.loads(done.out)["checks"]}
    assert checks["round trip"]["status"] == "ok"
    assert not (tmp_path / "data").exists()
