"""Runs that are large, deep, or wide: an answer, whatever their shape."""

from __future__ import annotations

import heapq

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


def test_ten_thousand_jobs_under_a_limit() -> None:
    """Fifty at a time, each of another length; what ends earlier lets others begin."""
    count, at_once, second = 10_000, 50, 10**9
    lasting = np.random.default_rng(1).integers(100, 200, count) * second
    at_work: list[int] = []
    start: list[int] = []
    for job in range(count):
        free = heapq.heappop(at_work) if job >= at_once else START_NS
        start.append(max(free, *start[-1:], START_NS) + second // 100)
        heapq.heappush(at_work, start[-1] + int(lasting[job]))
    last = max(at_work)
    jobs = [f"j{number:05}" for number in range(count)]
    tools = [f"t{number:05}" for number in range(count)]
    run = run_of(
        table(
            schema.AGENTS,
            count + 1,
            AgentId=[*jobs, "m"],
            ParentAgentId=[*["m"] * count, ""],
            SpawnToolCallId=[*tools, ""],
            StartTime=[*start, START_NS],
            EndTime=[*(np.array(start) + lasting).tolist(), last],
            Activations=[1] * (count + 1),
        ),
        table(schema.LLM_CALLS, 0),
        table(
            schema.TOOL_CALLS,
            count,
            ToolCallId=tools,
            AgentId=["m"] * count,
            StartTime=start,
            DurationMs=lasting / 1e6,
        ),
    )
    assert explained(run) == pytest.approx((last - START_NS) / 1e9)
    shorter = what_if(run, *(Lasts(50.0, agent=row) for row in range(5_000)))
    # Half of them take a third as long, fifty at a time.
    assert shorter.saved_s == pytest.approx(5_000 * 99.5 / at_once, rel=0.02)


def test_a_thousand_waits_for_a_thousand_helpers() -> None:
    """All wait from one moment on, each for its own helper; each wait ends with it."""
    count, second = 1_000, 10**9
    launched = START_NS + np.arange(count) * second // 100
    waiting = START_NS + 20 * second
    end = waiting + (np.arange(count) + 1) * 2 * second
    helpers = [f"h{number:04}" for number in range(count)]
    tools = [f"t{number:04}" for number in range(count)]
    run = run_of(
        table(
            schema.AGENTS,
            count + 1,
            AgentId=[*helpers, "m"],
            ParentAgentId=[*["m"] * count, ""],
            SpawnToolCallId=[*tools, ""],
            StartTime=[*launched.tolist(), START_NS],
            EndTime=[*end.tolist(), int(end[-1]) + second],
            Activations=[1] * (count + 1),
        ),
        table(schema.LLM_CALLS, 0),
        table(
            schema.TOOL_CALLS,
            2 * count,
            ToolCallId=[*tools, *(f"w{number:04}" for number in range(count))],
            Tool=[*["Task"] * count, *["TaskOutput"] * count],
            AgentId=["m"] * (2 * count),
            StartTime=[*launched.tolist(), *[waiting] * count],
            DurationMs=[*[1.0] * count, *((end - waiting) / 1e6 + 10).tolist()],
        ),
    )
    assert explained(run) == 2_021.0
    assert what_if(run, Lasts(1.0, agent=count - 1)).saved_s == pytest.approx(2)
