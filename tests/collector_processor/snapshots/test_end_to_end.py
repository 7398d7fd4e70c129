"""Snapshots through a real collector, the SDK and the command."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tarfile
import textwrap
from pathlib import Path
from typing import Any, Final

import pytest

from tests.collector_processor.claude_code import captures
from tests.collector_processor.running import Collector, command, environment, poll

pytestmark = [pytest.mark.integration, pytest.mark.slow]

_MB: Final = 100
_CRASH: Final = "44444444-4444-4444-8444-444444444444"
_PROGRAM: Final = """
import fleetspan, hashlib, sys
block = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(32768))
state = b"".join(bytes([n]) + block[1:] for n in range(100))
with fleetspan.run("nightly", id=sys.argv[1], session="s-1"):
    with fleetspan.agent("planner", task="plan the week"):
        with fleetspan.tool("search"):
            print(fleetspan.snapshot(state, name="plan", reason="half way"))
"""
_FAN_OUT: Final = """
import contextlib, sys, fleetspan
with contextlib.ExitStack() as stack:
    stack.enter_context(fleetspan.run("nightly", id="fan-out"))
    stack.enter_context(fleetspan.agent("lead"))
    for number in range(11):
        stack.enter_context(fleetspan.agent("helper"))
    stack.enter_context(fleetspan.tool("search"))
    print(fleetspan.snapshot({"step": 7}), flush=True)
    sys.stdin.read()
"""


def _state_hash() -> str:
    block = b"".join(hashlib.sha256(b"%d" % n).digest() for n in range(32768))
    state = hashlib.sha256()
    for n in range(_MB):
        state.update(bytes([n]) + block[1:])
    return state.hexdigest()


def _run_program(collector: Collector, run_id: str) -> str:
    """Run a program that takes a snapshot; return the snapshot's id."""
    endpoint = f"http://{collector.endpoint('otlp_http')}"
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(_PROGRAM), run_id],
        env=environment(FLEETSPAN_ENDPOINT=endpoint, FLEETSPAN_SNAPSHOT_WAIT_S="60"),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


def _json(data: Path, *arguments: str) -> dict[str, Any]:
    done = command("--data", str(data), "--json", "snapshot", *arguments)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("schema_version") == 1
    return found


def _listed(collector: Collector, condition: str) -> list[dict[str, Any]]:
    return collector.sql(f"SELECT * FROM otel.snapshots WHERE {condition}")


def test_a_hundred_megabytes_survive_kill_9_and_are_stored_once(
    tmp_path: Path,
) -> None:
    """What snapshot() has returned for is durable, comes back whole, and is one copy."""
    data = tmp_path / "data"
    with Collector(data, "--set=cpu_budget_idle_cores=0.0001") as collector:
        taken = _run_program(collector, "run-1")
        collector.kill()
    with Collector(data) as collector:
        again = _run_program(collector, "run-2")
        collector.settle()
        poll(
            lambda: (
                len(_listed(collector, f"SnapshotId IN ('{taken}', '{again}')")) == 2
            ),
            "both snapshots are there",
        )
        assert collector.count("snapshot_chunks") == _MB
        (row,) = collector.sql(
            "SELECT toUInt32(sum(length(Body)) / 1048576) AS mb FROM otel.snapshot_chunks"
        )
        assert row["mb"] == _MB
        target = tmp_path / "taken.tar"
        exported = _json(data, "export", taken[:8], "--to", str(target))
        assert exported["state_complete"] is True
        assert collector.stop() == 0
    with tarfile.open(target) as archive:
        state = archive.extractfile("state.bin")
        assert state is not None
        assert hashlib.sha256(state.read()).hexdigest() == _state_hash()
    # Without a collector, from the store itself.
    shown = _json(data, "show", again)["snapshot"]
    assert shown["state"]["complete"] is True
    assert (shown["run_id"], shown["trigger"], shown["name"]) == (
        "run-2",
        "sdk",
        "plan",
    )
    assert [each["name"] for each in shown["agents"]] == ["planner"]
    assert [each["tool"] for each in shown["running_tools"]] == ["search"]


def test_a_run_that_still_goes_on(tmp_path: Path) -> None:
    """Every tenth agent makes one while the run is at work, and so does the program."""
    data = tmp_path / "data"
    with Collector(data) as collector:
        program = subprocess.Popen(
            [sys.executable, "-c", _FAN_OUT],
            env=environment(
                FLEETSPAN_ENDPOINT=f"http://{collector.endpoint('otlp_http')}"
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert program.stdin is not None
        assert program.stdout is not None
        taken = program.stdout.readline().strip()
        poll(
            lambda: len(_listed(collector, "RunId = 'fan-out' AND RunOpen = 1")) == 2,
            "both are there",
        )
        rows = _listed(collector, "RunId = 'fan-out'")
        found = {row["Trigger"]: row for row in rows}
        assert (found["agents"]["Place"], found["agents"]["Agents"]) == ("1", 10)
        asked = found["sdk"]
        assert (asked["SnapshotId"], asked["Agents"]) == (taken, 12)
        assert (asked["AgentsRunning"], asked["ToolsRunning"]) == (12, 1)
        program.communicate("", timeout=60)
        assert program.returncode == 0


def test_a_killed_session_has_a_hand_off(tmp_path: Path) -> None:
    """Claude Code is killed: what it did, what ran, and where its transcripts stop."""
    data = tmp_path / "data"
    with Collector(data, "--set=idle_timeout_s=1") as collector:
        captures.send(collector, captures.deliveries("crash"))
        collector.settle()
        poll(lambda: _listed(collector, "Trigger = 'abandoned'"), "it is abandoned")
        (row,) = _listed(collector, "Trigger = 'abandoned'")
        done = command("--data", str(data), "snapshot", "show", row["SnapshotId"][:6])
        assert done.returncode == 0, done.stderr
        text = done.stdout
        assert text.startswith("# Hand-off: SCRIPT-MAIN please run the plan\n")
        assert "4 agents (4 running, 0 failed)" in text
        done_so_far = text.partition("## Done\n")[2].partition("\n## ")[0]
        assert f"- Claude Code `{_CRASH}`" in done_so_far
        assert "so far: 1 Bash, 1 Read" in done_so_far
        running = text.partition("## Running\n")[2].partition("\n## ")[0]
        assert "code-scout `a8a2ab9711004dd09` “beta scout”" in running
        assert "  - Agent (`toolu_fake_0006_0`) since" in running
        assert "(last line SHA-256 `5e946f949ebb" in text.partition("## Where")[2]
        assert "> Two helpers in parallel." in text
        listed = _json(data, "ls", _CRASH[:8])["snapshots"]
        assert [each["trigger"] for each in listed] == ["abandoned"]


def test_taking_one_by_hand(tmp_path: Path) -> None:
    """With a running collector and without; each time another one."""
    data = tmp_path / "data"
    with Collector(data) as collector:
        captures.send(collector, captures.deliveries("resume", "hooks", "transcripts"))
        collector.settle()
        first = _json(data, "take", "2222", "--reason", "before lunch")["snapshot_id"]
        shown = _json(data, "show", first)["snapshot"]
        assert (shown["trigger"], shown["reason"]) == ("manual", "before lunch")
        assert shown["session_id"] == "22222222-2222-4222-8222-222222222222"
        wrong = command("--data", str(data), "snapshot", "take", "nobody")
        assert wrong.returncode == 2
        assert "there is no run 'nobody'" in wrong.stderr
        assert collector.stop() == 0
    second = _json(data, "take", "2222")["snapshot_id"]
    listed = {each["snapshot_id"]: each for each in _json(data, "ls")["snapshots"]}
    assert {first, second} <= set(listed)
    assert first != second
    triggers = sorted(each["trigger"] for each in listed.values())
    assert triggers == ["compaction", "manual", "manual"]
    wrong = command("--data", str(data), "snapshot", "show", "zz")
    assert wrong.returncode == 2
    assert "error: there is no snapshot 'zz'" in wrong.stderr
    assert "try: fleetspan snapshot ls" in wrong.stderr


def test_a_collector_that_must_not_keep_states(tmp_path: Path) -> None:
    """By the setting the snapshot is taken, and its state is not there."""
    data = tmp_path / "data"
    with Collector(data, "--set=snapshot_state=false") as collector:
        taken = _run_program(collector, "run-1")
        collector.settle()
        poll(lambda: _listed(collector, f"SnapshotId = '{taken}'"), "it is there")
        assert collector.count("snapshot_chunks") == 0
        state = _json(data, "show", taken)["snapshot"]["state"]
        assert (state["complete"], state["missing_chunks"]) == (False, _MB)
