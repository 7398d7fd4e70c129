"""Killing a loaded collector again and again."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from ..running import Collector, command, environment
from ..server_store import STORE

HERE = Path(__file__).parent
KILLS = int(os.environ.get("FLEETSPAN_TEST_KILLS", "6"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.integration,
    pytest.mark.timeout(120 + 20 * KILLS),
]


def afresh(data: Path) -> dict[str, Any]:
    """Compare canonical rows with those of one derivation from all raw rows."""
    done = subprocess.run(
        [sys.executable, str(HERE / "afresh.py"), str(data)],
        capture_output=True,
        text=True,
        check=False,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def ledger_of(path: Path) -> dict[str, list[str]]:
    """Return the span ids that a client had an answer for, and those it had not."""
    found: dict[str, list[str]] = {"acked": [], "unknown": []}
    for line in path.read_text().splitlines():
        word, *ids = line.split()
        found[word] += ids
    return found


def stored_ids(data: Path) -> list[str]:
    """Return trace and span id of every row."""
    done = command(
        *("--data", str(data), "sql", "--format", "TSV"),
        "SELECT concat(TraceId, SpanId) FROM otel.otel_traces",
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_killed_under_load(tmp_path: Path) -> None:
    """After any number of kills every acknowledged span stands once, with its rows.

    A span whose request was never answered stands once or not at all. Canonical rows
    equal those that one derivation makes of the same raw rows.
    """
    data, ledger = tmp_path / "data", tmp_path / "ledger"
    data.mkdir()
    chance = random.Random()
    collector = Collector(data, "--set=cpu_budget_idle_cores=8")
    with subprocess.Popen(
        [sys.executable, str(HERE / "load.py"), str(data), str(ledger)],
        stdin=subprocess.PIPE,
        env=environment(),
    ) as load:
        for _ in range(KILLS):
            if chance.random() < 0.8:
                collector.wait_until_ready()
            time.sleep(3 * chance.random() ** 2)  # the moment of the kill is the point
            collector.kill()
            collector = Collector(data, "--set=cpu_budget_idle_cores=8")
        collector.wait_until_ready()
        load.communicate(b"end\n")
        assert load.returncode == 0
    assert collector.stop() == 0, collector.log
    told, stored = ledger_of(ledger), stored_ids(data)
    # As many as a machine that does other work gets through.
    assert len(told["acked"]) > 20 * KILLS
    assert set(told["acked"]) - set(stored) == set()
    assert len(stored) == len(set(stored))
    assert set(stored) - set(told["acked"]) - set(told["unknown"]) == set()
    if STORE != "embedded":
        return  # what compares opens the embedded store by itself
    report = afresh(data)
    assert report["canonical_llm_calls"].pop("rows") > 0
    assert [report[table].get(key) for table in report for key in ("missing", "surplus")] == [[]] * 8  # fmt: skip
