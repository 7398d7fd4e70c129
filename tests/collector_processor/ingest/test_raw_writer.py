"""Segments of unusual shape, and segments of which a part is in the store already."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ..embedded import Embedded, embedded
from ..fleet import MS, START_NS, agent, call, gauge, span, traces

pytestmark = pytest.mark.integration

DAY_NS = 86_400_000 * MS


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each test has a tenant of its own in it."""
    with embedded(tmp_path_factory.mktemp("raw-writer")) as store:
        yield store


def count(store: Embedded, table: str, tenant: str, columns: str = "count()") -> int:
    """Return a number read from a tenant's rows."""
    (row,) = store.rows(table, f"Tenant = '{tenant}'", f"toInt64({columns}) AS n")
    return int(row["n"])


@pytest.mark.parametrize(
    ("tenant", "start_ns", "shown"),
    [
        ("first", 1, "1970-01-01 00:00:00.000000001"),
        ("late", 4_102_444_800 * 10**9, "2100-01-01 00:00:00.000000000"),
    ],
)
def test_far_times(store: Embedded, tenant: str, start_ns: int, shown: str) -> None:
    """Spans of 1970 and of 2100 keep their time, in raw and in canonical rows."""
    store.take(
        traces([agent(1, 1, start_ns=start_ns), call(1, 2, 1, start_ns=start_ns)]),
        tenant=tenant,
    )
    times = store.rows("otel_traces", f"Tenant = '{tenant}'", "Timestamp AS t")
    assert times == [{"t": shown}, {"t": shown}]
    # Canonical rows have a fixed retention, which 1970 is past.
    kept = [{"t": shown}] if tenant == "late" else []
    for table in ("runs", "agents", "llm_calls"):
        rows = store.rows(table, f"Tenant = '{tenant}'", "StartTime AS t")
        assert rows in (kept, [{"t": shown}]), table


def test_one_trace_of_fifty_thousand_spans(store: Embedded) -> None:
    """A huge, deep trace is one run: all calls counted, at the agent that is nearest."""
    size = 50_000
    spans = [agent(1, 1)]
    spans += [span(1, n, n - 1) for n in range(2, size // 2)]
    spans += [call(1, n, n - size // 2) for n in range(size // 2 + 2, size)]
    store.take(traces(spans), tenant="huge")
    assert count(store, "otel_traces", "huge") == len(spans)
    (run,) = store.rows("runs", "Tenant = 'huge'", "Agents, LlmCalls, OrphanSpans")
    calls = size // 2 - 2
    assert run == {"Agents": 1, "LlmCalls": calls, "OrphanSpans": 0}
    assert count(store, "llm_calls", "huge", "countIf(AgentId != '')") == calls


def test_parents_in_a_circle(store: Embedded) -> None:
    """Spans that are each other's parents are one run, beside runs that are sound."""
    store.take(
        traces(
            [
                agent(1, 1, 2),
                agent(1, 2, 3),
                agent(1, 3, 1),
                call(1, 4, 3),
                agent(2, 1, 1),
                agent(3, 1),
                call(3, 2, 1),
            ]
        ),
        tenant="circle",
    )
    runs = store.rows("runs", "Tenant = 'circle'", "TraceId, Agents, LlmCalls")
    assert runs == [
        {"TraceId": f"{1:032x}", "Agents": 3, "LlmCalls": 1},
        {"TraceId": f"{2:032x}", "Agents": 1, "LlmCalls": 0},
        {"TraceId": f"{3:032x}", "Agents": 1, "LlmCalls": 1},
    ]


def test_equal_span_ids_in_two_traces(store: Embedded) -> None:
    """A span id names a span of its trace only."""
    one = [agent(1, 1), call(1, 2, 1), call(1, 3, 1)]
    other = [agent(2, 1), call(2, 2, 1)]
    store.take(traces(one + other), tenant="equal")
    runs = store.rows("runs", "Tenant = 'equal'", "TraceId, Agents, LlmCalls")
    assert [(run["Agents"], run["LlmCalls"]) for run in runs] == [(1, 2), (1, 1)]
    assert count(store, "llm_calls", "equal") == 3


def test_equal_ids_of_two_tenants(store: Embedded) -> None:
    """Traces, agents and runs of the same ids do not meet across tenants."""
    for tenant, calls in (("mine", 1), ("yours", 2)):
        spans = [agent(1, 1, fleetspan__run__id="r")]
        spans += [call(1, n + 2, 1) for n in range(calls)]
        store.take(traces(spans), tenant=tenant)
    for tenant, calls in (("mine", 1), ("yours", 2)):
        rows = store.rows("runs", f"Tenant = '{tenant}'", "RunId, LlmCalls")
        assert rows == [{"RunId": "r", "LlmCalls": calls}]


@pytest.mark.parametrize(
    "gone", ["1", "0", "BatchOrdinal % 3 = 0", "BatchOrdinal >= 40"]
)
def test_only_missing_rows_are_inserted(store: Embedded, gone: str) -> None:
    """After a doubt the rows that the store lacks come back, and no other."""
    tenant = f"doubt-{len(gone)}-{gone[0]}"
    spans = [span(1, n + 1, start_ns=START_NS - n % 5 * DAY_NS) for n in range(50)]
    (segment,) = store.segments([traces(spans[:20]), traces(spans[20:])], tenant)
    store.writer.insert(segment)
    store.engine.command(
        f"DELETE FROM otel.otel_traces WHERE Tenant = '{tenant}' AND ({gone})"
        " SETTINGS mutations_sync = 1"
    )
    for _ in range(2):
        store.writer.insert(segment, doubtful=True)
        rows = store.rows(
            "otel_traces",
            f"Tenant = '{tenant}'",
            "toUInt32(BatchOrdinal) AS o, SpanId AS s",
        )
        assert rows == [{"o": n, "s": f"{n + 1:016x}"} for n in range(50)]
    store.journal.remove(segment)


def test_only_missing_points_are_inserted(store: Embedded) -> None:
    """The same holds for metrics, whose tables number their points each for itself."""
    (segment,) = store.segments([gauge("doubtful", *range(30))], "points")
    store.writer.insert(segment)
    store.engine.command(
        "DELETE FROM otel.otel_metrics_gauge WHERE Tenant = 'points' AND Value > 10"
        " SETTINGS mutations_sync = 1"
    )
    store.writer.insert(segment, doubtful=True)
    rows = store.rows("otel_metrics_gauge", "Tenant = 'points'", "Value AS v")
    assert rows == [{"v": n} for n in range(30)]
    store.journal.remove(segment)
