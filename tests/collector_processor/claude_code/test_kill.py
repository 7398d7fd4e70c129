"""Hooks and transcript lines survive the collector, and count once."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.collector_processor.claude_code import captures
from tests.collector_processor.running import Collector

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Of `tree` and `crash`, counted with `wc -l`; each meta file is one line more.
_HOOKS = 59 + 24
_LINES = 185 + 84


def _counts(collector: Collector) -> tuple[int, int, int]:
    """Hooks, deliveries among them, and lines by their places."""
    (row,) = collector.sql(
        "SELECT toUInt32(count()) AS hooks, toUInt32(uniqExact(DeliveryId)) AS ids,"
        " (SELECT toUInt32(count()) FROM otel.claude_transcript_lines FINAL) AS lines"
        " FROM otel.claude_hooks"
    )
    return row["hooks"], row["ids"], row["lines"]


def test_what_was_answered_survives_kill_9(tmp_path: Path) -> None:
    """Killed before it stored anything, and again while it does: nothing is lost.

    Clients that got no answer send again, in other pieces and another order.
    """
    sent = [
        each
        for name in ("tree", "crash")
        for each in captures.deliveries(name, "hooks", "transcripts")
    ]
    again = [
        each
        for name in ("tree", "crash")
        for each in captures.deliveries(name, "hooks", "transcripts", lines_at_once=7)
    ]
    random.Random(5).shuffle(again)
    data = tmp_path / "data"
    with Collector(data, "--set=cpu_budget_idle_cores=0.0001") as collector:
        captures.send(collector, sent)
        collector.kill()
    with Collector(data) as collector:
        captures.send(collector, again[:60])
        collector.kill()
    with Collector(data) as collector:
        captures.send(collector, again)
        collector.settle()
        assert _counts(collector) == (_HOOKS, _HOOKS, _LINES)
        assert collector.metric("fleetspan_journal_duplicates_total") > _HOOKS - 60
        assert collector.metric("fleetspan_journal_quarantined_records_total") == 0
        assert collector.stop() == 0
