"""Deriving over windows: what one step writes is right whatever the others saw."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from ..embedded import Embedded, embedded
from ..fleet import agent, call, traces

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each test has a tenant of its own in it."""
    with embedded(tmp_path_factory.mktemp("derivation")) as store:
        yield store


def test_runs_that_share_a_trace_stay_whole(store: Embedded) -> None:
    """A run is counted over all its traces when only a trace of its neighbour changes.

    Trace 2 belongs to runs a and b: news of trace 1, of run a, is a reason to write
    run b again, whose third trace nobody mentioned.
    """
    store.take(
        traces(
            [
                agent(1, 10, fleetspan__run__id="a"),
                agent(2, 20, fleetspan__run__id="a"),
                agent(2, 21, fleetspan__run__id="b"),
                agent(3, 30, fleetspan__run__id="b"),
            ]
        ),
        tenant="chain",
    )
    store.take(traces([call(1, 11, 10)]), tenant="chain")
    runs = store.rows("runs", "Tenant = 'chain'", "RunId, Agents, LlmCalls")
    assert runs == [
        {"RunId": "a", "Agents": 2, "LlmCalls": 1},
        {"RunId": "b", "Agents": 2, "LlmCalls": 0},
    ]


@pytest.mark.parametrize("tenant", ["at once", "apart"])
def test_an_agent_of_another_trace_is_not_this_one(
    store: Embedded, tenant: str
) -> None:
    """An agent that is only mentioned has its row, whatever is derived beside it.

    Ids of agents are unique in their trace or run only: that another trace has an
    agent of that name says nothing.
    """
    elsewhere = traces([agent(1, 10, fleetspan__agent__id="a9")])
    mentioned = traces([call(2, 20, fleetspan__agent__id="a9")])
    if tenant == "at once":
        store.take(elsewhere, mentioned, tenant=tenant)
    else:
        store.take(elsewhere, tenant=tenant)
        store.take(mentioned, tenant=tenant)
    agents = store.rows("agents", f"Tenant = '{tenant}'", "TraceId, AgentId, Sources")
    assert agents == [
        {"TraceId": f"{1:032x}", "AgentId": "a9", "Sources": ["span"]},
        {"TraceId": f"{2:032x}", "AgentId": "a9", "Sources": ["mention"]},
    ]
