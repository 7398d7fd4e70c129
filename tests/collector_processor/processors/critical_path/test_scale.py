"""Runs that are large, deep, or wide: an answer, whatever their shape."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from fleetspan_collector.processors import schema
from fleetspan_collector.processors.critical_path import (
    Lasts,
    ledgers_of,
    path_of,
    slack_of,
    what_if,
)
from fleetspan_collector.processors.run import Context, Run, RunFacts, make_run
from tests.collector_processor.processors.building import START_NS


def table(layout: pa.Schema, count: int, **columns: object) -> pa.Table:
    """Rows with some columns given; texts that are not are empty, others unknown."""
    empty = {"string": [""] * count}
    return pa.table(
        {
            name: pa.array(
                columns.get(name, empty.get(str(kind), [None] * count)), kind
            )
            for name, kind in zip(layout.names, layout.types, strict=True)
        }
    )


def run_of(agents: pa.Table, calls: pa.Table, tools: pa.Table) -> Run:
    """A run of some tables."""
    return make_run(
        RunFacts(run_id="r", start_ns=START_NS, last_activity_ns=START_NS),
        agents=agents,
        llm_calls=calls,
        tool_calls=tools,
        files=schema.FILES.empty_table(),
        context=Context(),
    )


def explained(run: Run) -> float:
    """The wall time in seconds, when all of it is explained and nothing is saved."""
    path = path_of(run)
    assert (path.start_ns[1:] == path.end_ns[:-1]).all()
    total = sum(ledgers_of(run).seconds.values(), np.zeros(run.agents.count))
    assert total == pytest.approx(ledgers_of(run).wall_s)
    assert (slack_of(run).agents_s >= 0).all()
    assert what_if(run).saved_s == 0.0
    return path.wall_s


def test_a_chain_of_ten_thousand() -> None:
    """Each agent is spawned by the one above it, and waited for."""
    count = 10_000
    second = 10**9
    at = START_NS + np.arange(count) * second
    end = START_NS + (2 * count - np.arange(count)) * second
    names = [f"a{number:05}" for number in range(count)]
    tools = [f"t{number:05}" for number in range(count - 1)]
    agents = table(
        schema.AGENTS,
        count,
        AgentId=names,
        ParentAgentId=["", *names[:-1]],
        SpawnToolCallId=["", *tools],
        StartTime=at,
        EndTime=end,
        Activations=[1] * count,
    )
    calls = table(schema.LLM_CALLS, 0)
    spawns = table(
        schema.TOOL_CALLS,
        count - 1,
        ToolCallId=tools,
        AgentId=names[:-1],
        StartTime=at[:-1],
        DurationMs=(end - at)[:-1] / 1e6,
    )
    run = run_of(agents, calls, spawns)
    assert explained(run) == 20_000.0
    assert what_if(run, Lasts(1.0, agent=count - 1)).saved_s == 1.0


def test_a_thousand_agents_at_once() -> None:
    """A hundred thousand things, of agents that all begin and end together."""
    agents, steps = 1_000, 49
    names = np.array([f"a{number:04}" for number in range(agents)])
    owner = np.repeat(names, steps)
    second = 10**9
    at = START_NS + np.tile(np.arange(steps) * 2 * second, agents)
    order = np.argsort(at, kind="stable")
    run = run_of(
        table(
            schema.AGENTS,
            agents,
            AgentId=names,
            ParentAgentId=["", *["a0000"] * (agents - 1)],
            StartTime=[START_NS] * agents,
            EndTime=[START_NS + 100 * second] * agents,
            Activations=[1] * agents,
        ),
        table(
            schema.LLM_CALLS,
            agents * steps,
            CallId=[f"c{number}" for number in range(agents * steps)],
            AgentId=owner[order],
            StartTime=at[order],
            DurationMs=[1000.0] * (agents * steps),
        ),
        table(
            schema.TOOL_CALLS,
            agents * steps,
            ToolCallId=[f"t{number}" for number in range(agents * steps)],
            AgentId=owner[order],
            StartTime=at[order] + second,
            DurationMs=[900.0] * (agents * steps),
        ),
    )
    assert explained(run) == 100.0


def test_a_deep_tree_beside_many_short_waits() -> None:
    """Each wait falls into the same deep nesting; it is not looked through every time."""
    depth, waits = 300, 3_000
    second = 10**9
    end = START_NS + 10 * waits * second
    names = [f"a{number:04}" for number in range(depth)]
    tools = [f"t{number:04}" for number in range(depth - 1)]
    run = run_of(
        table(
            schema.AGENTS,
            depth,
            AgentId=names,
            ParentAgentId=["", *names[:-1]],
            SpawnToolCallId=["", *tools],
            StartTime=[START_NS] * depth,
            EndTime=[end] * depth,
            Activations=[1] * depth,
        ),
        table(
            schema.LLM_CALLS,
            waits,
            CallId=[f"c{number}" for number in range(waits)],
            AgentId=["a0000"] * waits,
            StartTime=START_NS + (10 * np.arange(waits) + 5) * second,
            DurationMs=[5000.0] * waits,
        ),
        table(
            schema.TOOL_CALLS,
            depth - 1,
            ToolCallId=tools,
            AgentId=names[:-1],
            StartTime=[START_NS] * (depth - 1),
            DurationMs=[10_000.0 * waits] * (depth - 1),
        ),
    )
    assert explained(run) == 30_000.0
