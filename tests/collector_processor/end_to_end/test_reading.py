"""What was acknowledged can be read, whatever became of the collector."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ..fleet import agent, call, tool, traces
from ..running import Collector, command, environment, rows_of
from .test_kill import HERE, ledger_of, stored_ids

pytestmark = [pytest.mark.integration, pytest.mark.slow]


def a_run(trace: int) -> bytes:
    """Return the request of a run with a main agent, a sub-agent, a call and a tool."""
    return traces(
        [
            agent(trace, 1, gen_ai__agent__name="lead"),
            agent(trace, 2, 1, at_ms=10),
            call(trace, 3, 2, at_ms=20),
            tool(trace, 4, 2, at_ms=40, failed=True),
        ]
    ).SerializeToString()


def read(data: Path, *arguments: str) -> dict[str, Any]:
    """Run a reading command and return its document."""
    done = command("--data", str(data), *arguments, "--json")
    assert done.returncode == 0, done.stderr
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def run_id(trace: int) -> str:
    """Return the id of the run of `a_run`."""
    return f"{trace:032x}-{1:016x}"


def check(data: Path, *runs: int) -> None:
    """See runs, and no others, in `ls` and in `sql`."""
    listed = read(data, "ls")["runs"]
    assert {run["run_id"] for run in listed} == {run_id(trace) for trace in runs}
    counts = ("agents", "llm_calls", "tool_calls", "errors", "output_tokens")
    for run in listed:
        assert (run["name"], run["status"]) == ("lead", "ok")
        assert [run[name] for name in counts] == [2, 1, 1, 1, 20]
    query = "SELECT toUInt8(count()) AS spans FROM otel.otel_traces"
    assert rows_of(data, query) == [{"spans": 4 * len(runs)}]


def check_tree(data: Path, trace: int) -> None:
    """See the agents of a run in `show`."""
    shown = read(data, "show", run_id(trace))
    assert [(a["agent_id"], a["parent"]) for a in shown["agents"]] == [
        (f"{1:016x}", None),
        (f"{2:016x}", f"{1:016x}"),
    ]


def test_reads_see_own_writes(tmp_path: Path) -> None:
    """After an answer every command shows it: of the owner, after its end, its death.

    The last one is read from a journal that nobody had taken to the store yet.
    """
    data = tmp_path / "data"
    with Collector(data) as collector:
        collector.post("traces", a_run(1))
        collector.settle()
        check(data, 1)
        check_tree(data, 1)
        collector.post("traces", a_run(2))
        assert collector.stop() == 0
    assert not (data / "endpoints.json").exists()
    check(data, 1, 2)
    # So slow that what arrives stays in the journal.
    with Collector(data, "--set=cpu_budget_idle_cores=0.0001") as collector:
        for trace in (3, 4, 5):
            collector.post("traces", a_run(trace))
        collector.kill()
    assert sum(each.stat().st_size for each in (data / "journal/traces").iterdir()) > 0
    check_tree(data, 5)
    check(data, 1, 2, 3, 4, 5)
    assert list((data / "journal/traces").iterdir()) == []


def test_terminated_under_load(tmp_path: Path) -> None:
    """SIGTERM in the middle of a load ends it with 0; all that was answered is there."""
    data, ledger = tmp_path / "data", tmp_path / "ledger"
    collector = Collector(data).wait_until_ready()
    with (
        contextlib.ExitStack() as stack,
        subprocess.Popen(
            [sys.executable, str(HERE / "load.py"), str(data), str(ledger)],
            stdin=subprocess.PIPE,
            env=environment(),
        ) as load,
    ):
        stack.callback(collector.kill)
        while not ledger.exists() or ledger.read_bytes().count(b"acked") < 200:
            assert load.poll() is None
        assert collector.stop() == 0
        stack.pop_all()
        # The next one takes what the senders could not deliver.
        with Collector(data) as following:
            load.communicate(b"end\n")
            assert following.stop() == 0
    told, stored = ledger_of(ledger), stored_ids(data)
    assert set(told["acked"]) - set(stored) == set()
    assert len(stored) == len(set(stored))
