"""What became of tasks before, read from the rollups of agents."""

from __future__ import annotations

import itertools
from collections.abc import Generator
from typing import Final

import pytest

from fleetspan_collector.processors.outcome_store import OutcomeStore
from fleetspan_collector.processors.outcomes import Outcomes

from ..embedded import Embedded, embedded
from ..fleet import START_NS

pytestmark = pytest.mark.integration

HOUR_S: Final = 3600
FIRST_S: Final = START_NS // 1_000_000_000 // HOUR_S * HOUR_S

_tenants = itertools.count(1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """One store for the module; every test has a tenant of its own."""
    with embedded(tmp_path_factory.mktemp("outcomes")) as store:
        yield store


@pytest.fixture
def tenant() -> str:
    """A tenant that nobody else uses."""
    return f"tenant-{next(_tenants)}"


def write(
    store: Embedded,
    tenant: str,
    agent: str,
    status: str,
    *,
    kind: str = "bug_fix",
    model: str = "claude-haiku-4-5",
    hour_s: int = FIRST_S,
    version: int = 1,
) -> None:
    """Write the rollup of an agent."""
    store.engine.command(
        "INSERT INTO otel.stored_agent_rollups (Tenant, RunId, AgentId, TaskKind, Model,"
        f" Status, Bucket, Version) VALUES ('{tenant}', 'r', '{agent}', '{kind}',"
        f" '{model}', '{status}', toDateTime({hour_s}), {version})"
    )


def test_ended_agents_are_counted_by_kind_and_model(
    store: Embedded, tenant: str
) -> None:
    """Well ended and failed ones; not what goes on, was abandoned, or has no kind."""
    for agent, status in (("a", "ok"), ("b", "ok"), ("c", "error")):
        write(store, tenant, agent, status)
    write(store, tenant, "d", "error", kind="planning", model="gpt-5")
    write(store, tenant, "e", "running")
    write(store, tenant, "f", "abandoned")
    write(store, tenant, "g", "error", kind="")
    write(store, tenant, "h", "error", model="")
    found = OutcomeStore(store.engine).load(tenant, FIRST_S + HOUR_S)
    assert found.known == {
        ("bug_fix", "claude-haiku-4-5"): Outcomes(agents=3, failures=1),
        ("planning", "gpt-5"): Outcomes(agents=1, failures=1),
    }
    assert found.of_kind("planning") == {"gpt-5": Outcomes(agents=1, failures=1)}
    assert found.of_kind("bug") == {}


def test_an_agent_counts_as_it_was_analysed_last(store: Embedded, tenant: str) -> None:
    """A rollup that was written again replaces the one before."""
    write(store, tenant, "a", "ok")
    write(store, tenant, "a", "error", version=2)
    found = OutcomeStore(store.engine).load(tenant, FIRST_S + HOUR_S)
    assert found.known == {
        ("bug_fix", "claude-haiku-4-5"): Outcomes(agents=1, failures=1)
    }


def test_only_hours_before_count_and_only_in_the_window(
    store: Embedded, tenant: str
) -> None:
    """A run is never held against itself, nor against what is long past."""
    write(store, tenant, "now", "error")
    write(store, tenant, "before", "ok", hour_s=FIRST_S - HOUR_S)
    write(store, tenant, "old", "ok", hour_s=FIRST_S - 2 * 24 * HOUR_S)
    found = OutcomeStore(store.engine, window_days=1).load(tenant, FIRST_S + 59)
    assert found.known == {
        ("bug_fix", "claude-haiku-4-5"): Outcomes(agents=1, failures=0)
    }


def test_tenants_have_nothing_in_common(store: Embedded, tenant: str) -> None:
    """One tenant's outcomes say nothing about another's."""
    write(store, f"{tenant}-other", "a", "error")
    assert OutcomeStore(store.engine).load(tenant, FIRST_S + HOUR_S).known == {}


@pytest.mark.parametrize("before_s", [-5, 0, 4_102_444_800, 2**40])
def test_any_clock_has_an_answer(store: Embedded, tenant: str, before_s: int) -> None:
    """Times that a store cannot name are those at its ends."""
    write(store, tenant, "a", "ok")
    found = OutcomeStore(store.engine, window_days=1).load(tenant, before_s)
    assert found.known == {}
