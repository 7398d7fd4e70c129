"""What the wall time of runs went to: known answers."""

from __future__ import annotations

from typing import Any

import pytest

from fleetspan_collector.processors.critical_path import Category, path_of
from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.building import START_NS, Building

Segment = tuple[float, float, str, str, str]


def segments(run: Run) -> list[Segment]:
    """Start, end, category, agent and call or tool call of each segment."""
    path = path_of(run)
    agents = [*run.agents.strings("AgentId"), ""]
    calls, tools = run.llm_calls.strings("CallId"), run.tool_calls.strings("ToolCallId")
    rows = zip(
        path.start_ns.tolist(),
        path.end_ns.tolist(),
        path.category,
        path.agent,
        path.call,
        path.tool,
        strict=True,
    )
    return [
        (
            (start - START_NS) / 1e9,
            (end - START_NS) / 1e9,
            str(category),
            agents[agent],
            calls[call] if call >= 0 else tools[tool] if tool >= 0 else "",
        )
        for start, end, category, agent, call, tool in rows
    ]


def main(end: float, **given: Any) -> Building:
    """A run with a main agent that is there from 0 to its end."""
    building = Building()
    building.agent("m", 0, end, **given)
    return building


def test_one_step_after_another() -> None:
    """Each has its time; what is between them is a gap."""
    building = main(10)
    building.call("m", 0, 3, call_id="c1")
    building.tool("m", 3, 4, call_id="t1")
    building.call("m", 7.5, 2, call_id="c2")
    assert segments(building.run()) == [
        (0, 3, "model", "m", "c1"),
        (3, 7, "tool", "m", "t1"),
        (7, 7.5, "gap", "m", ""),
        (7.5, 9.5, "model", "m", "c2"),
        (9.5, 10, "gap", "m", ""),
    ]


def test_parallel_tool_calls() -> None:
    """The one that ends last is what the next call waited for."""
    building = main(11)
    building.call("m", 0, 1, call_id="c1")
    building.tool("m", 1, 4, call_id="t1")
    building.tool("m", 1, 9, call_id="t2")
    building.call("m", 10, 1, call_id="c2")
    assert segments(building.run()) == [
        (0, 1, "model", "m", "c1"),
        (1, 10, "tool", "m", "t2"),
        (10, 11, "model", "m", "c2"),
    ]


def test_what_went_on_beside_a_wait_explains_it() -> None:
    """A tool call began after the first and beside the second: that one had the time."""
    building = main(12)
    building.tool("m", 0, 3, call_id="t1")
    building.tool("m", 0, 8, call_id="t2")
    building.tool("m", 5, 7, call_id="t3")
    assert segments(building.run()) == [
        (0, 3, "tool", "m", "t1"),
        (3, 5, "tool", "m", "t2"),
        (5, 12, "tool", "m", "t3"),
    ]


def test_a_tool_call_that_begins_while_its_model_call_streams() -> None:
    """The model had the time until then."""
    building = main(9)
    building.call("m", 0, 5, call_id="c1")
    building.tool("m", 4, 5, call_id="t1")
    assert segments(building.run()) == [
        (0, 4, "model", "m", "c1"),
        (4, 9, "tool", "m", "t1"),
    ]


def test_parallel_sub_agents() -> None:
    """The way leads into the one that ends last; it was queued until it did something."""
    building = main(20)
    building.call("m", 0, 2, call_id="c1")
    building.tool("m", 2, 9, call_id="s1", tool="Agent")
    building.tool("m", 2, 13, call_id="s2", tool="Agent")
    building.agent("a1", 2.5, 11, parent="m", spawned_by="s1")
    building.call("a1", 2.5, 8.5, call_id="c2")
    building.agent("a2", 3, 14, parent="m", spawned_by="s2")
    building.call("a2", 4, 6, call_id="c3")
    building.tool("a2", 11, 3, call_id="t1")
    building.call("m", 15, 5, call_id="c4")
    assert segments(building.run()) == [
        (0, 2, "model", "m", "c1"),
        (2, 4, "queue", "a2", "s2"),
        (4, 10, "model", "a2", "c3"),
        (10, 11, "subagent", "a2", ""),
        (11, 14, "tool", "a2", "t1"),
        (14, 15, "tool", "m", "s2"),
        (15, 20, "model", "m", "c4"),
    ]


def test_sub_agents_of_one_call_after_each_other() -> None:
    """All of them are on the path; the call itself has what is between them."""
    building = main(10)
    building.tool("m", 0, 10, call_id="s", tool="Workflow")
    building.agent("a1", 0, 4, parent="m", spawned_by="s")
    building.call("a1", 0, 4, call_id="c1")
    building.agent("a2", 5, 9, parent="m", spawned_by="s")
    building.call("a2", 5, 4, call_id="c2")
    assert segments(building.run()) == [
        (0, 4, "model", "a1", "c1"),
        (4, 5, "tool", "m", "s"),
        (5, 9, "model", "a2", "c2"),
        (9, 10, "tool", "m", "s"),
    ]


def test_agents_three_deep() -> None:
    """Each second belongs to who was at work at the bottom."""
    building = main(10)
    building.tool("m", 1, 8, call_id="s1")
    building.agent("a", 1, 9, parent="m", spawned_by="s1")
    building.call("a", 1, 1, call_id="c1")
    building.tool("a", 2, 6, call_id="s2")
    building.agent("b", 2, 8, parent="a", spawned_by="s2")
    building.tool("b", 2, 6, call_id="t", PermissionWaitMs=2000.0)
    assert segments(building.run()) == [
        (0, 1, "gap", "m", ""),
        (1, 2, "model", "a", "c1"),
        (2, 4, "permission", "b", "t"),
        (4, 8, "tool", "b", "t"),
        (8, 9, "subagent", "a", ""),
        (9, 10, "gap", "m", ""),
    ]


def test_a_sub_agent_in_the_background() -> None:
    """It explains only what nobody else does: here, all after the main agent's end."""
    building = main(10)
    building.call("m", 0, 1, call_id="c1")
    building.tool("m", 1, 0.5, call_id="s")
    building.agent("a", 1.5, 16, parent="m", spawned_by="s")
    building.call("a", 1.5, 12.5, call_id="c2")
    building.call("m", 1.5, 8.5, call_id="c3")
    assert segments(building.run()) == [
        (0, 1, "model", "m", "c1"),
        (1, 1.5, "tool", "m", "s"),
        (1.5, 10, "model", "m", "c3"),
        (10, 14, "model", "a", "c2"),
        (14, 16, "subagent", "a", ""),
    ]


def test_a_parent_that_works_on_did_not_wait() -> None:
    """Without a spawn call, a sub-agent beside whose time its parent called a model."""
    building = main(10)
    building.agent("a", 1, 9, parent="m")
    building.call("a", 1, 8, call_id="c1")
    building.call("m", 2, 6, call_id="c2")
    assert segments(building.run()) == [
        (0, 1, "gap", "m", ""),
        (1, 2, "model", "a", "c1"),
        (2, 8, "model", "m", "c2"),
        (8, 9, "model", "a", "c1"),
        (9, 10, "gap", "m", ""),
    ]


def test_an_idle_agent_is_nobodys_work() -> None:
    """One that was set to work again: its pause is a gap, its work explains what it can."""
    building = main(30)
    building.tool("m", 0, 4, call_id="s")
    building.agent("a", 0, 25, parent="m", spawned_by="s", Activations=2)
    building.call("a", 0, 2, call_id="c0")
    building.call("a", 3, 1, call_id="c1")
    building.call("a", 20, 5, call_id="c2")
    assert segments(building.run()) == [
        (0, 2, "model", "a", "c0"),
        (2, 3, "subagent", "a", ""),
        (3, 4, "model", "a", "c1"),
        (4, 20, "gap", "m", ""),
        (20, 25, "model", "a", "c2"),
        (25, 30, "gap", "m", ""),
    ]


def test_waiting_for_permission() -> None:
    """At the beginning of a tool call, and no longer than it."""
    building = main(9)
    building.tool("m", 0, 4, call_id="t1", PermissionWaitMs=3000.0)
    building.tool("m", 4, 5, call_id="t2", PermissionWaitMs=60_000.0)
    assert segments(building.run()) == [
        (0, 3, "permission", "m", "t1"),
        (3, 4, "tool", "m", "t1"),
        (4, 9, "permission", "m", "t2"),
    ]


@pytest.mark.parametrize(
    "error",
    ["rate_limit_error", "429", "HTTP 529", "Overloaded", "Request timed out", "503"],
)
def test_waiting_to_try_again(error: str) -> None:
    """From a failed request to the next, but for what a tool call explains."""
    building = main(20)
    building.call("m", 0, 1, call_id="c1", Error=error)
    building.tool("m", 3, 2, call_id="t1")
    building.call("m", 10, 10, call_id="c2")
    assert segments(building.run()) == [
        (0, 1, "model", "m", "c1"),
        (1, 3, "backoff", "m", ""),
        (3, 5, "tool", "m", "t1"),
        (5, 10, "backoff", "m", ""),
        (10, 20, "model", "m", "c2"),
    ]


@pytest.mark.parametrize("error", ["", "invalid_request_error", "refusal", "4290"])
def test_what_nobody_tries_again_is_no_wait(error: str) -> None:
    """A request that was refused for good."""
    building = main(20)
    building.call("m", 0, 1, Error=error)
    building.call("m", 10, 10)
    assert path_of(building.run()).seconds[Category.BACKOFF] == 0


def test_attempts_within_a_call() -> None:
    """They took what is beyond the usual time to the first token of that model."""
    building = main(44)
    for at in (0, 4, 8):
        building.call("m", at, 4, TimeToFirstTokenMs=1000.0, Attempts=1)
    building.call("m", 12, 32, call_id="slow", TimeToFirstTokenMs=29_000.0, Attempts=4)
    assert segments(building.run())[3:] == [
        (12, 40, "backoff", "m", "slow"),
        (40, 44, "model", "m", "slow"),
    ]


def test_attempts_that_cannot_be_told_apart() -> None:
    """Too few calls to compare with, or not long enough: all is the model's."""
    few = main(34)
    few.call("m", 0, 4)
    few.call("m", 4, 30, Attempts=3)
    assert path_of(few.run()).seconds[Category.BACKOFF] == 0
    near = main(19)
    for at in (0, 4, 8):
        near.call("m", at, 4)
    near.call("m", 12, 7, Attempts=2)
    assert path_of(near.run()).seconds[Category.BACKOFF] == 0


def test_an_agent_of_which_only_its_times_are_known() -> None:
    """A main agent's is a gap, a sub-agent's its own."""
    building = main(10)
    building.agent("a", 2, 7, parent="m")
    assert segments(building.run()) == [
        (0, 2, "gap", "m", ""),
        (2, 7, "subagent", "a", ""),
        (7, 10, "gap", "m", ""),
    ]


def test_tool_calls_alone() -> None:
    """A run that only hooks tell of has no calls; the model's time is a gap."""
    building = main(12)
    building.tool("m", 1, 2, call_id="t1")
    building.tool("m", 6, 5, call_id="t2")
    assert path_of(building.run()).seconds == {
        Category.MODEL: 0.0,
        Category.TOOL: 7.0,
        Category.PERMISSION: 0.0,
        Category.QUEUE: 0.0,
        Category.BACKOFF: 0.0,
        Category.SUBAGENT: 0.0,
        Category.GAP: 5.0,
    }


def test_calls_without_an_agent() -> None:
    """They are the run's own."""
    building = Building()
    building.call("", 0, 2, call_id="c1")
    building.call("nobody", 3, 2, call_id="c2")
    assert segments(building.run()) == [
        (0, 2, "model", "", "c1"),
        (2, 3, "gap", "", ""),
        (3, 5, "model", "", "c2"),
    ]


def test_parents_in_a_circle() -> None:
    """The one that began first has no parent; the others are where they were."""
    building = Building()
    building.agent("a", 0, 10, parent="b")
    building.agent("b", 1, 9, parent="a")
    building.call("b", 1, 8, call_id="c1")
    assert segments(building.run()) == [
        (0, 1, "gap", "a", ""),
        (1, 9, "model", "b", "c1"),
        (9, 10, "gap", "a", ""),
    ]


def test_a_spawn_call_below_what_it_spawned() -> None:
    """Nobody can be waited for by what it does itself."""
    building = main(10)
    building.tool("a", 2, 5, call_id="s")
    building.agent("a", 1, 9, parent="m", spawned_by="s")
    assert path_of(building.run()).wall_s == 10.0


def test_no_run_at_all() -> None:
    """No segments, and no seconds."""
    path = path_of(Building().run())
    assert len(path.start_ns) == 0
    assert path.wall_s == 0.0
    assert path.seconds == dict.fromkeys(Category, 0.0)


def test_equal_things_may_come_in_any_order() -> None:
    """What is the same but for its id gives the same sums."""

    def run(ids: list[str]) -> Run:
        building = main(20)
        for name in ids:
            building.tool("m", 1, 10, call_id=name)
            building.agent(f"of-{name}", 2, 10, parent="m", spawned_by=name)
            building.call(f"of-{name}", 2, 7, call_id=f"c-{name}")
        return building.run()

    forwards, backwards = path_of(run(["x", "y"])), path_of(run(["y", "x"]))
    renamed = path_of(run(["b", "a"]))
    assert forwards.seconds == backwards.seconds == renamed.seconds
    assert forwards.start_ns.tolist() == renamed.start_ns.tolist()
