"""Segments whose rows are of more days than the engine takes at once."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ..embedded import Embedded, embedded
from ..fleet import MS, START_NS, agent, logs, span, start_event, traces

pytestmark = pytest.mark.integration

DAY_NS = 86_400_000 * MS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each test has a tenant of its own in it."""
    with embedded(tmp_path_factory.mktemp("days")) as store:
        yield store


def count(store: Embedded, table: str, tenant: str, columns: str = "count()") -> int:
    """Return a number read from a tenant's rows."""
    (row,) = store.rows(table, f"Tenant = '{tenant}'", f"toInt64({columns}) AS n")
    return int(row["n"])


def test_a_span_a_day(store: Embedded) -> None:
    """A segment of 400 daily partitions is stored whole, though the engine takes 100."""
    store.take(
        traces([span(1, n + 1, start_ns=START_NS - n * DAY_NS) for n in range(400)]),
        tenant="days",
    )
    assert count(store, "otel_traces", "days") == 400
    assert count(store, "otel_traces", "days", "uniqExact(toDate(Timestamp))") == 400
    assert count(store, "otel_traces", "days", "uniqExact(BatchOrdinal)") == 400


def test_a_log_record_a_day(store: Embedded) -> None:
    """The same holds for log records."""
    day = 24 * 3600 * 1000
    events = [start_event(1, n + 1, "tool", at_ms=-n * day) for n in range(250)]
    store.take(logs(events), tenant="days-of-logs")
    assert count(store, "otel_logs", "days-of-logs", "uniqExact(SpanId)") == 250
    assert count(store, "tool_calls", "days-of-logs") == 250


def test_an_agent_a_week(store: Embedded) -> None:
    """Canonical rows of any number of days, and bounds of any number of weeks, fit."""
    spans = [agent(n + 2, 1, start_ns=START_NS - 7 * n * DAY_NS) for n in range(110)]
    store.take(traces(spans), tenant="weeks")
    # The oldest are past the retention of canonical rows, a year.
    assert count(store, "runs", "weeks", "countIf(StartTime > now() - INTERVAL 50 WEEK)") in (50, 51)  # fmt: skip
    found = store.rows("otel_traces_trace_id_ts", "1", "uniqExact(TraceId) AS n")
    assert int(found[0]["n"]) >= 110
