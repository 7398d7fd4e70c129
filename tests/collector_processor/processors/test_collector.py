"""Findings of a running collector: soon, again after a crash, and named when they fail."""

from __future__ import annotations

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest

from tests.collector_processor.fleet import MS, START_NS, logs, start_event, traces
from tests.collector_processor.processors.looping import S, looping
from tests.collector_processor.running import Collector, command, poll, rows_of

pytestmark = pytest.mark.integration


def now_looping(trace: int, repeats: int) -> tuple[Any, Any]:
    """Return the start of an agent, and spans of a loop that it is still in."""
    shift_ms = (time.time_ns() - START_NS) // MS - 60 * S
    spans = looping(trace, repeats)[1:]
    for span in spans:
        span.start_time_unix_nano += shift_ms * MS
        span.end_time_unix_nano += shift_ms * MS
    begun = start_event(trace, 1, "agent", at_ms=shift_ms)
    return logs([begun]), traces(spans)


def send(collector: Collector, begun: Any, spans: Any) -> None:
    """Send a start and spans."""
    collector.post("logs", begun.SerializeToString())
    collector.post("traces", spans.SerializeToString())


@pytest.fixture
def collector(tmp_path: Path) -> Generator[Collector]:
    """A running collector."""
    with Collector(tmp_path / "data") as running:
        yield running


def test_a_reader_sees_what_was_found_of_what_it_sent(collector: Collector) -> None:
    """A read of findings waits until what was acknowledged before it is analysed."""
    send(collector, *now_looping(0x51, 4))
    rows: list[Any] = []

    def found() -> bool:
        rows[:] = collector.sql(
            "SELECT * FROM findings WHERE Detector = 'no_progress_loop'"
        )
        return bool(rows)

    poll(found, "the loop is found")
    assert rows[0]["RunOpen"] == 1
    assert collector.metric("fleetspan_analysed_runs_total") >= 1


def test_after_a_kill(tmp_path: Path) -> None:
    """What a killed collector had not analysed is analysed by the next command."""
    data = tmp_path / "data"
    with Collector(data, "--set=cpu_budget_idle_cores=0.0001") as running:
        # So small a budget that nothing is derived or analysed before the kill.
        send(running, *now_looping(0x52, 5))
        running.kill()
    done = command("--data", str(data), "findings", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["findings"]
    assert "no_progress_loop" in {each["detector"] for each in found}
    assert len(rows_of(data, "SELECT * FROM run_analyses")) == 1


def test_doctor_says_that_all_are_at_work(collector: Collector) -> None:
    """The command names processors among what it looks at."""
    send(collector, *now_looping(0x53, 2))
    done = command("--data", str(collector.data), "doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["processors"]["status"] == "ok"


def test_an_unknown_processor_in_the_settings(tmp_path: Path) -> None:
    """A name in processors_off that there is not stops the start, and says why."""
    done = command(
        *("--data", str(tmp_path / "data"), "up", "--grpc=off", "--http=off"),
        *("--web=127.0.0.1:0", "--set=processors_off=stragler"),
    )
    assert done.returncode == 2
    assert "there is no processor 'stragler'" in done.stderr
