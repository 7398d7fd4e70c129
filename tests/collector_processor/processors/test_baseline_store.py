"""Baselines in the store: made by hour, again and again, and read over earlier hours."""

from __future__ import annotations

import itertools
import random
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pytest

from fleetspan_collector.processors.baseline_store import BaselineStore, hours_of
from fleetspan_collector.processors.baselines import Baselines
from fleetspan_collector.store._engine import Engine

from ..embedded import Embedded, embedded
from ..fleet import START_NS, agent, call, tool, traces
from .building import Building

pytestmark = pytest.mark.integration

HOUR_S: Final = 3600
DAY_S: Final = 86_400
FIRST_S: Final = START_NS // 1_000_000_000 // HOUR_S * HOUR_S
"""An hour of yesterday."""

_tenants = itertools.count(1)
_versions = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """One store for the module; every test has a tenant of its own."""
    with embedded(tmp_path_factory.mktemp("baselines")) as store:
        yield store


@pytest.fixture
def baselines(store: Embedded) -> BaselineStore:
    """The baselines of the store."""
    return BaselineStore(store.engine)


@pytest.fixture
def tenant() -> str:
    """A tenant that nobody else uses; with a quote, as nobody is safe from one."""
    return f"tenant '{next(_tenants)}"


def write_calls(
    store: Embedded,
    tenant: str,
    hour_s: int,
    milliseconds: Sequence[float],
    *,
    model: str = "m",
    first: int = 0,
    runs: int = 10,
    error: str = "",
) -> None:
    """Write model calls of an hour, numbered from ``first``."""
    quoted = tenant.replace("'", "''")
    rows = ", ".join(
        f"('{quoted}', 'run-{(first + n) % runs}', 'call-{first + n}', '{model}',"
        f" {each!r}, {each!r} / 1e6, '{error}', 't', toDateTime({hour_s}),"
        f" toDateTime({hour_s}), {next(_versions)})"
        for n, each in enumerate(milliseconds)
    )
    store.engine.command(
        "INSERT INTO otel.canonical_llm_calls (Tenant, RunId, CallId, Model, DurationMs,"
        f" CostUsd, Error, TraceId, StartTime, Bucket, Version) VALUES {rows}"
    )


def of_model(found: Baselines) -> tuple[int, int, float] | None:
    """Samples, runs and the middle of the seconds of the model that tests write."""
    one = found.of("model", "m")
    return (one.samples, one.runs, one.p50) if one else None


def test_quantiles_are_those_of_all_samples_of_all_hours(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Merged over hours, a quantile lies within 1 % of rank of the exact one."""
    chance = np.random.default_rng(7)
    durations = chance.lognormal(8, 1, 6000).tolist()
    for number in range(3):
        some = durations[number::3]
        write_calls(store, tenant, FIRST_S + number * HOUR_S, some, first=number * 2000)
    hours = [(tenant, FIRST_S + number * HOUR_S) for number in range(3)]
    assert baselines.refresh(hours) == 3
    found = baselines.load(tenant, FIRST_S + 3 * HOUR_S, 1).of("model", "m")
    assert found is not None
    assert (found.samples, found.runs) == (6000, 10)
    ordered = np.sort(np.array(durations)) / 1000
    for share, value in (
        (0.5, found.p50),
        (0.9, found.p90),
        (0.95, found.p95),
        (0.99, found.p99),
    ):
        rank = np.searchsorted(ordered, value) / 6000
        assert abs(rank - share) < 0.01
    dollars = baselines.load(tenant, FIRST_S + 3 * HOUR_S, 1).of("model", "m", "usd")
    assert dollars is not None
    assert dollars.p50 == pytest.approx(found.p50 / 1000, rel=0.01)


def test_an_hour_that_is_made_twice_counts_once(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Making an hour again replaces what was made, merged or not."""
    write_calls(store, tenant, FIRST_S, [1000, 2000, 3000])
    for _ in range(3):
        baselines.refresh([(tenant, FIRST_S), (tenant, FIRST_S + 59 * 60)])
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S, 1)) == (3, 3, 2.0)
    store.engine.command("OPTIMIZE TABLE otel.stored_baselines FINAL")
    other = BaselineStore(store.engine)
    assert of_model(other.load(tenant, FIRST_S + HOUR_S, 1)) == (3, 3, 2.0)


def test_what_comes_late_counts_once_its_hour_is_made_again(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Late rows change an old hour; rows that were replaced count as they are now."""
    write_calls(store, tenant, FIRST_S, [1000, 1000])
    baselines.refresh([(tenant, FIRST_S)])
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S, 1)) == (2, 2, 1.0)
    write_calls(store, tenant, FIRST_S, [5000], first=2)
    write_calls(store, tenant, FIRST_S, [7000], first=1)
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S, 1)) == (2, 2, 1.0)
    baselines.refresh([(tenant, FIRST_S)])
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S, 1)) == (3, 3, 5.0)


def test_what_has_another_name_now_is_not_counted_under_the_old_one(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """A subject that nothing is left of is gone."""
    write_calls(store, tenant, FIRST_S, [1000], model="before")
    baselines.refresh([(tenant, FIRST_S)])
    write_calls(store, tenant, FIRST_S, [1000], model="m")
    baselines.refresh([(tenant, FIRST_S)])
    found = baselines.load(tenant, FIRST_S + HOUR_S, 1)
    assert found.of("model", "before") is None
    assert of_model(found) == (1, 1, 1.0)


def test_an_hour_and_what_is_later_are_not_held_against_it(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Only whole hours before count, and only as many days of them as asked for."""
    for days, milliseconds in ((2, 9000), (0, 1000)):
        write_calls(store, tenant, FIRST_S - days * DAY_S, [milliseconds], first=days)
        baselines.refresh([(tenant, FIRST_S - days * DAY_S)])
    assert of_model(baselines.load(tenant, FIRST_S, 1)) is None
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S - 1, 1)) is None
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S, 1)) == (1, 1, 1.0)
    assert of_model(baselines.load(tenant, FIRST_S, 2)) == (1, 1, 9.0)
    found = baselines.load(tenant, FIRST_S + HOUR_S, 3).of("model", "m")
    assert found is not None
    assert found.samples == 2


def test_tenants_have_nothing_in_common(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """One tenant's history says nothing about another's."""
    other = f"other {tenant}"
    write_calls(store, tenant, FIRST_S, [1000])
    write_calls(store, other, FIRST_S, [3000])
    baselines.refresh([(tenant, FIRST_S), (other, FIRST_S)])
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S, 1)) == (1, 1, 1.0)
    assert of_model(baselines.load(other, FIRST_S + HOUR_S, 1)) == (1, 1, 3.0)


def test_what_failed_or_goes_on_is_no_measure(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """A failed call, and one that has not ended, are not counted."""
    write_calls(store, tenant, FIRST_S, [10], error="timeout")
    quoted = tenant.replace("'", "''")
    store.engine.command(
        "INSERT INTO otel.canonical_llm_calls (Tenant, RunId, CallId, Model, StartTime,"
        f" Bucket, Version) VALUES ('{quoted}', 'r', 'open', 'm',"
        f" toDateTime({FIRST_S}), toDateTime({FIRST_S}), 1)"
    )
    store.engine.command(
        "INSERT INTO otel.canonical_tool_calls (Tenant, RunId, ToolCallId, Tool,"
        f" SpanId, StartTime, Bucket, Version) VALUES ('{quoted}', 'r', 'open', 'Bash',"
        f" 'open', toDateTime({FIRST_S}), toDateTime({FIRST_S}), 1)"
    )
    baselines.refresh([(tenant, FIRST_S)])
    assert baselines.load(tenant, FIRST_S + HOUR_S, 1).known == {}


def test_runs_agents_tools_and_models_of_real_spans(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Everything that has ended is measured under its name, as it was derived."""
    store.take(
        traces(
            [
                agent(1, 1, gen_ai__agent__name="lead", lasts_ms=9000),
                agent(1, 2, 1, gen_ai__agent__name="scout", at_ms=10, lasts_ms=4000),
                call(1, 3, 2, at_ms=20, lasts_ms=1500),
                tool(1, 4, 2, at_ms=1600, lasts_ms=500, gen_ai__tool__name="Grep"),
                tool(1, 5, 2, at_ms=2200, lasts_ms=500, gen_ai__tool__name="Grep"),
            ]
        ),
        tenant=tenant,
    )
    assert baselines.catch_up() >= 1
    found = baselines.load(tenant, FIRST_S + HOUR_S, 1)
    seconds = {
        (kind, subject): (one.samples, one.p50)
        for (kind, subject, measure), one in found.known.items()
        if measure == "seconds"
    }
    assert seconds == {
        ("run", "lead"): (1, 9.0),
        ("agent", "lead"): (1, 9.0),
        ("agent", "scout"): (1, 4.0),
        ("model", "claude-sonnet-4-5"): (1, 1.5),
        ("tool", "Grep"): (2, 0.5),
    }
    dollars = found.of("run", "lead", "usd")
    assert dollars is not None
    assert dollars.p50 == pytest.approx(103 * 3e-6 + 20 * 15e-6)


def test_the_permission_that_a_tool_waited_for_is_not_its_own_time(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """A tool is as fast as it works, not as a person answers."""
    quoted = tenant.replace("'", "''")
    store.engine.command(
        "INSERT INTO otel.canonical_tool_calls (Tenant, RunId, ToolCallId, Tool,"
        " DurationMs, PermissionWaitMs, Success, SpanId, StartTime, Bucket, Version)"
        f" VALUES ('{quoted}', 'r', 'a', 'Bash', 9000, 8000, 1, 'a',"
        f" toDateTime({FIRST_S}), toDateTime({FIRST_S}), 1)"
    )
    baselines.refresh([(tenant, FIRST_S)])
    found = baselines.load(tenant, FIRST_S + HOUR_S, 1).of("tool", "Bash")
    assert found is not None
    assert found.p50 == 1.0


def test_what_an_agent_spends_comes_from_its_rollup(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Dollars of an agent are those of its own calls."""
    quoted = tenant.replace("'", "''")
    store.engine.command(
        "INSERT INTO otel.stored_agent_rollups (Tenant, RunId, AgentId, Name, Status,"
        f" CostUsd, TreeCostUsd, Bucket, Version) VALUES ('{quoted}', 'r', 'a', 'lead',"
        f" 'ok', 0.25, 4, toDateTime({FIRST_S}), 1)"
    )
    baselines.refresh([(tenant, FIRST_S)])
    found = baselines.load(tenant, FIRST_S + HOUR_S, 1).of("agent", "lead", "usd")
    assert found is not None
    assert found.p50 == 0.25


def test_catching_up_makes_what_has_changed_and_nothing_else(
    store: Embedded, tenant: str
) -> None:
    """Hours that were never made, and hours with newer rows; not the present one."""
    now_s = FIRST_S + 2 * HOUR_S
    baselines = BaselineStore(store.engine, lambda: now_s * 1_000_000_000 + 5)
    baselines.catch_up()
    for number in range(3):
        write_calls(store, tenant, FIRST_S + number * HOUR_S, [1000.0], first=number)
    # Other tests leave rows of 1970, which are past their retention, behind.
    since_s = FIRST_S - DAY_S
    assert baselines.catch_up(since_s=since_s, most=1) == 1
    assert baselines.catch_up(since_s=since_s) == 1
    assert baselines.catch_up(since_s=since_s) == 0
    assert of_model(baselines.load(tenant, now_s + HOUR_S, 1)) == (2, 2, 1.0)
    write_calls(store, tenant, FIRST_S, [3000], first=9)
    assert baselines.catch_up(since_s=FIRST_S + HOUR_S) == 0
    assert baselines.catch_up(since_s=since_s) == 1
    assert of_model(baselines.load(tenant, now_s + HOUR_S, 1)) == (3, 3, 1.0)


def test_catching_up_repairs_what_was_cut_short(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Without the mark that an hour was made it is made again, and counts once."""
    write_calls(store, tenant, FIRST_S, [1000, 2000, 3000])
    baselines.refresh([(tenant, FIRST_S)])
    store.engine.command("TRUNCATE TABLE otel.baseline_hours")
    write_calls(store, tenant, FIRST_S, [9000], first=2)
    assert baselines.catch_up(since_s=FIRST_S) >= 1
    assert baselines.catch_up(since_s=FIRST_S) == 0
    assert of_model(baselines.load(tenant, FIRST_S + HOUR_S, 1)) == (3, 3, 2.0)


@pytest.mark.parametrize("seed", range(2))
def test_any_order_of_rows_and_refreshes_comes_to_the_same(
    store: Embedded, baselines: BaselineStore, tenant: str, seed: int
) -> None:
    """Rows come and change in any order, hours are made at any time."""
    chance = random.Random(seed)
    last: dict[int, tuple[int, float]] = {}
    for number in [chance.randrange(12) for _ in range(20)]:
        hour = FIRST_S + number % 3 * HOUR_S
        milliseconds = float(chance.randrange(1, 100_000))
        write_calls(store, tenant, hour, [milliseconds], first=number)
        last[number] = hour, milliseconds
        if chance.random() < 0.25:
            baselines.refresh([(tenant, FIRST_S + chance.randrange(3) * HOUR_S)])
    BaselineStore(store.engine, lambda: (FIRST_S + 9 * HOUR_S) * 10**9).catch_up()
    for hours in (1, 2, 3):
        before = FIRST_S + hours * HOUR_S
        found = BaselineStore(store.engine).load(tenant, before, 1).of("model", "m")
        known = [each for hour, each in last.values() if hour < before]
        assert found is not None
        assert found.samples == len(known)
        assert found.p99 == pytest.approx(max(known) / 1000, rel=0.02)


def test_two_collectors_that_make_an_hour_at_once_count_it_once(
    store: Embedded, tenant: str
) -> None:
    """Whoever is last has replaced all that the other one wrote."""
    write_calls(store, tenant, FIRST_S, [1000, 2000, 3000])
    engines = [store.engine.another() for _ in range(2)]

    def refresh(engine: Engine) -> int:
        return sum(BaselineStore(engine).refresh([(tenant, FIRST_S)]) for _ in range(5))

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(refresh, engines)) == [5, 5]
    for engine in engines:
        engine.close()
    found = BaselineStore(store.engine).load(tenant, FIRST_S + HOUR_S, 1)
    assert of_model(found) == (3, 3, 2.0)


def test_clocks_that_are_decades_off_do_no_harm(
    store: Embedded, baselines: BaselineStore, tenant: str
) -> None:
    """Hours of 2100 and the last one; of 1970, past its retention; a partition a year."""
    seconds = [0, HOUR_S, 4_102_444_800, 2**32 - HOUR_S]
    for number, hour in enumerate(seconds):
        write_calls(store, tenant, hour // HOUR_S * HOUR_S, [1000.0], first=number)
    assert baselines.refresh([(tenant, second) for second in seconds]) == 4
    assert of_model(baselines.load(tenant, -5, 1)) is None
    assert of_model(baselines.load(tenant, 4_102_444_800 + HOUR_S, 1)) == (1, 1, 1.0)
    assert of_model(baselines.load(tenant, 2**40, 0.1)) is None
    assert baselines.refresh([(tenant, -(10**12)), (tenant, 10**12)]) == 2
    latest = baselines.load(tenant, 2**40, 30_000).of("model", "m")
    assert latest is not None
    assert latest.samples == 1
    partitions = store.engine.arrow(
        "SELECT DISTINCT partition FROM system.parts WHERE database = 'otel'"
        " AND table = 'stored_baselines' AND active"
    )["partition"].to_pylist()
    assert set(partitions) <= {str(year) for year in range(1970, 2107)}


def test_the_hours_of_a_run_are_those_of_all_its_rows() -> None:
    """A run that goes on for hours is counted in each of them."""
    building = Building(tenant="t", bucket_s=1_789_999_200)
    building.agent("a", 0, 3700)
    building.call("a", 3650, 10)
    building.tool("a", 3690, None)
    assert hours_of(building.run()) == {("t", 1_789_999_200), ("t", 1_790_002_800)}
