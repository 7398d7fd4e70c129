"""A record that passes the receiver and that the engine refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from ..fleet import agent, call, traces
from ..running import Collector, rows_of

pytestmark = [pytest.mark.integration, pytest.mark.slow]

# Field 100 as a group, which protobuf's own parser passes over and the engine does not.
_GROUP = b"\xa3\x06\x08\x05\xa4\x06"


def unreadable(trace: int) -> bytes:
    """Return a sound request with an unknown group at its end."""
    return traces([agent(trace, 1), call(trace, 2, 1)]).SerializeToString() + _GROUP


def test_neighbours_of_a_refused_record(tmp_path: Path) -> None:
    """Only the refused records go to quarantine, counted; the pipeline goes on.

    Also after a kill in the middle of it, and for records that come later.
    """
    data = tmp_path / "data"
    with Collector(data, "--set=cpu_budget_idle_cores=0.0001") as collector:
        for trace in range(1, 8):
            request = traces([agent(trace, 1), call(trace, 2, 1)]).SerializeToString()
            collector.post("traces", unreadable(trace) if trace in (3, 7) else request)
        collector.kill()
    with Collector(data) as collector:
        collector.settle()
        assert collector.count("otel_traces") == 10
        assert collector.metric("fleetspan_journal_quarantined_records_total") == 2
        collector.post("traces", unreadable(8))
        collector.post("traces", traces([agent(9, 1)]).SerializeToString())
        collector.settle()
        assert collector.metric("fleetspan_journal_quarantined_records_total") == 3
        assert collector.stop() == 0
    kept = [{"TraceId": f"{trace:032x}"} for trace in (1, 2, 4, 5, 6, 9)]
    assert rows_of(data, "SELECT TraceId FROM otel.runs ORDER BY TraceId") == kept
    held = [each for each in (data / "journal/quarantine").rglob("*") if each.is_file()]
    assert sum(each.read_bytes().count(_GROUP) for each in held) == 3
