"""Times that cannot be meant, beside others that can."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ..embedded import Embedded, embedded
from ..fleet import MS, START_NS, agent, call, tool, traces

pytestmark = pytest.mark.integration

IN_2100_NS = 4_102_444_800 * 10**9


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each test has a tenant of its own in it."""
    with embedded(tmp_path_factory.mktemp("strays")) as store:
        yield store


@pytest.mark.parametrize("far_ns", [1_000_000, IN_2100_NS])
def test_one_span_far_away(store: Embedded, far_ns: int) -> None:
    """One tool call of 1970, or 2100, does not make its run begin, or end, then."""
    tenant = f"far-{far_ns}"
    spans = [
        agent(1, 1, lasts_ms=9_000),
        call(1, 2, 1, lasts_ms=500),
        tool(1, 3, 1, start_ns=far_ns),
    ]
    store.take(traces(spans), tenant=tenant)
    of_tenant = f"Tenant = '{tenant}'"
    start, end = (
        f"toUnixTimestamp64Milli({name}) AS {name}" for name in ("StartTime", "EndTime")
    )
    (run,) = store.rows("runs", of_tenant, f"{start}, {end}, ToolCalls")
    start_ms = START_NS // MS
    assert [int(each) for each in run.values()] == [start_ms, start_ms + 9_000, 1]
    (row,) = store.rows("tool_calls", of_tenant, f"{start}, Bucket")
    assert int(row["StartTime"]) == far_ns // MS
    buckets = store.rows("runs", of_tenant, "Bucket")
    assert [{"Bucket": row["Bucket"]}] == buckets


def test_an_end_far_away(store: Embedded) -> None:
    """A call that says it lasts until 2100 does not make its run last as long."""
    spans = [agent(1, 1, lasts_ms=9_000), call(1, 2, 1, lasts_ms=74 * 365 * 86_400_000)]
    store.take(traces(spans), tenant="end")
    (run,) = store.rows(
        "runs", "Tenant = 'end'", "dateDiff('s', StartTime, EndTime) AS s"
    )
    assert int(run["s"]) == 9


def test_two_runs_in_one_go(store: Embedded) -> None:
    """Each run has its own middle: one is of the last year, and one of today."""
    old_ns = START_NS - 300 * 86_400 * 1000 * MS
    spans = [agent(1, 1), tool(1, 2, 1, start_ns=1)]
    spans += [agent(2, 1, start_ns=old_ns), tool(2, 2, 1, start_ns=old_ns)]
    store.take(traces(spans), tenant="two")
    rows = store.rows(
        "runs", "Tenant = 'two'", "toUnixTimestamp64Nano(StartTime) AS start"
    )
    assert sorted(int(row["start"]) for row in rows) == [old_ns, START_NS]
