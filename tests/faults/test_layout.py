from __future__ import annotations

import pytest

from fleetspan_collector.processors.run import Run
from tests.faults.layout import as_seen, make, rows_of, run_of, usd, wall_s
from tests.faults.plan import (
    Agent,
    Call,
    Child,
    Join,
    Pause,
    Plan,
    Spawn,
    Step,
    Together,
    Tool,
)

_START_NS = 1_790_000_000_000_000_000


def _call(name: str, seconds: float, **row: object) -> Call:
    return Call(seconds=seconds, row={"CallId": name, **row})


def _tool(name: str, seconds: float, permission_s: float = 0.0) -> Tool:
    row = {"ToolCallId": name, "Tool": "Bash"}
    return Tool(seconds=seconds, row=row, permission_s=permission_s)


def _agent(name: str, *steps: Step) -> Agent:
    return Agent(row={"AgentId": name, "Name": name}, steps=list(steps))


def _child(name: str, seconds: float, queue_s: float = 0.0) -> Child:
    agent = _agent(name, _call(f"{name}-call", seconds))
    spawn = {"ToolCallId": f"{name}-spawn", "Tool": "Task"}
    return Child(agent=agent, spawn=spawn, queue_s=queue_s)


def _plan(*steps: Step) -> Plan:
    return Plan(
        run_id="run",
        name="test",
        origin="generated",
        start_ns=_START_NS,
        root=_agent("main", *steps),
    )


def _times(run: Run) -> dict[str, tuple[float, float]]:
    """Start and end of everything in seconds from the run's start."""
    found = {}
    for columns, key in ((run.llm_calls, "CallId"), (run.tool_calls, "ToolCallId")):
        starts = (columns.nanoseconds("StartTime") - _START_NS) / 1e9
        ends = starts + columns.floats("DurationMs") / 1e3
        for name, start, end in zip(columns.strings(key), starts, ends, strict=True):
            found[str(name)] = (round(float(start), 3), round(float(end), 3))
    agents = run.agents
    starts = (agents.nanoseconds("StartTime") - _START_NS) / 1e9
    ends = (agents.nanoseconds("EndTime") - _START_NS) / 1e9
    names = agents.strings("AgentId")
    for name, start, end in zip(names, starts, ends, strict=True):
        found[str(name)] = (round(float(start), 3), round(float(end), 3))
    return found


def test_steps_follow_each_other() -> None:
    """A step begins when the one before it has ended; permission counts to its tool."""
    run = run_of(
        _plan(
            _call("c1", 2.0), _tool("t1", 1.0, 4.0), Pause(seconds=3.0), _call("c2", 1)
        )
    )
    assert _times(run) == {
        "c1": (0.0, 2.0),
        "t1": (2.0, 7.0),
        "c2": (10.0, 11.0),
        "main": (0.0, 11.0),
    }
    assert run.tool_calls.floats("PermissionWaitMs").tolist() == [4000.0]
    assert run.facts.end_ns == _START_NS + 11_000_000_000


def test_tools_of_one_message_run_side_by_side() -> None:
    """The agent goes on when the last of them has ended."""
    run = run_of(
        _plan(Together(tools=[_tool("t1", 1.0), _tool("t2", 5.0)]), _call("c1", 1.0))
    )
    assert _times(run) == {
        "t1": (0.0, 1.0),
        "t2": (0.0, 5.0),
        "c1": (5.0, 6.0),
        "main": (0.0, 6.0),
    }


def test_siblings_side_by_side() -> None:
    """All start a little apart; the parent waits for the last one's tool call."""
    spawn = Spawn(
        children=[_child("a", 9.0), _child("b", 5.0, queue_s=0.5)], apart_s=0.1
    )
    assert _times(run_of(_plan(spawn, _call("c1", 1.0)))) == {
        "a": (0.0, 9.0),
        "a-call": (0.0, 9.0),
        "a-spawn": (0.0, 9.02),
        "b": (0.6, 5.6),
        "b-call": (0.6, 5.6),
        "b-spawn": (0.1, 5.62),
        "c1": (9.02, 10.02),
        "main": (0.0, 10.02),
    }


def test_siblings_one_after_another() -> None:
    """One at a time: the next starts after the tool call of the one before."""
    children = [_child("a", 3.0), _child("b", 2.0)]
    run = run_of(_plan(Spawn(children=children, at_once=1, apart_s=0.1)))
    times = _times(run)
    assert times["a-spawn"] == (0.0, 3.02)
    assert times["b-spawn"] == (3.12, 5.14)
    assert times["main"] == (0.0, 5.14)


def test_some_siblings_at_a_time() -> None:
    """With two at a time, the third starts when the first of these has ended."""
    children = [_child("a", 9.0), _child("b", 2.0), _child("c", 2.0)]
    run = run_of(_plan(Spawn(children=children, at_once=2, apart_s=0.0)))
    assert _times(run)["c-spawn"] == (2.02, 4.04)


def test_background_agents_are_waited_for_by_nobody() -> None:
    """Their parent goes on at once and may end before them; a join waits for them."""
    spawn = Spawn(children=[_child("a", 9.0)], background=True)
    times = _times(run_of(_plan(spawn, _call("c1", 1.0))))
    assert times["a-spawn"] == (0.0, 0.15)
    assert times["c1"] == (0.15, 1.15)
    assert times["main"] == (0.0, 1.15)
    assert times["a"] == (0.0, 9.0)
    joined = run_of(_plan(spawn, Join(row={"ToolCallId": "j", "Tool": "TaskOutput"})))
    assert _times(joined)["j"] == (0.15, 9.02)


def test_calls_are_priced() -> None:
    """A call costs what the price book says of its tokens, and unknown ones nothing."""
    tokens = {"InputTokens": 100_000, "OutputTokens": 10_000}
    known = {"Model": "claude-sonnet-4-5", "Provider": "anthropic"}
    run = run_of(_plan(_call("c1", 1.0, **known, **tokens), _call("c2", 1.0)))
    first, second = run.llm_calls.table["CostUsd"].to_pylist()
    assert first == pytest.approx(0.45)
    assert second is None
    assert usd(run) == first


def test_a_run_as_seen_while_it_goes_on() -> None:
    """Open tool calls are known, calls that go on and what is to come are not."""
    plan = _plan(_tool("t1", 2.0), _tool("t2", 5.0), _call("c1", 1.0))
    now_ns = _START_NS + 4_000_000_000
    run = make(plan, as_seen(rows_of(plan), now_ns), now_ns=now_ns)
    assert run.facts.status == "running"
    assert run.facts.end_ns is None
    assert run.facts.last_activity_ns == _START_NS + 2_000_000_000
    assert run.tool_calls.strings("ToolCallId").tolist() == ["t1", "t2"]
    assert run.tool_calls.table["DurationMs"].to_pylist() == [2000.0, None]
    assert run.llm_calls.count == 0
    assert run.agents.strings("Status").tolist() == ["running"]


def test_wall_time_is_from_the_first_start_to_the_last_end() -> None:
    """Agents in the background count, whoever has ended before them."""
    spawn = Spawn(children=[_child("a", 9.0)], background=True)
    assert wall_s(rows_of(_plan(spawn, _call("c1", 1.0)))) == 9.0
