"""How a run stood at a moment."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_collector.processors.run import Run
from fleetspan_collector.snapshots.standing import Counters, Standings
from tests.collector_processor.processors.building import START_NS, Building, ns


def _run() -> Run:
    building = Building()
    building.agent("main", 0, 100, Task="ship it")
    building.agent("a", 10, 20, parent="main", spawned_by="spawn-a")
    building.agent("b", 12, 40, parent="main", Status="error", Error="boom")
    building.agent("c", 50, None, parent="main")
    building.tool("main", 9, 12, tool="Agent", call_id="spawn-a")
    building.tool("b", 15, 2, call_id="failed", Success=0, Error="exit 1")
    building.tool("c", 55, None, call_id="open")
    building.call(
        "a",
        11,
        4,
        InputTokens=10,
        CacheReadTokens=900,
        OutputTokens=5,
        CostUsd=0.25,
    )
    building.call("b", 30, 5, InputTokens=20, CostUsd=0.5)
    return building.run()


def test_the_counters_of_a_moment() -> None:
    """What had started by then counts; what had not ended is running."""
    assert Standings(_run()).counters(ns(16)) == Counters(
        agents=3,
        agents_running=3,
        agents_failed=0,
        llm_calls=1,
        tool_calls=2,
        tools_running=2,
        errors=0,
        tokens=(10, 900, None, 5),
        cost_usd=0.25,
    )
    assert Standings(_run()).counters(ns(60)) == Counters(
        agents=4,
        agents_running=2,
        agents_failed=1,
        llm_calls=2,
        tool_calls=3,
        tools_running=1,
        errors=1,
        tokens=(30, 900, None, 5),
        cost_usd=0.75,
    )


def test_the_tree_of_a_moment() -> None:
    """Each agent with what it had done, the open tool calls, and the last failures."""
    tree = Standings(_run()).tree(ns(60))
    shown = [(agent["agent_id"], agent["status"]) for agent in tree["agents"]]
    assert shown == [
        ("main", "running"),
        ("a", "done"),
        ("b", "failed"),
        ("c", "running"),
    ]
    assert tree["agents"][0] == {
        "agent_id": "main",
        "parent_agent_id": None,
        "name": "main",
        "type": "",
        "model": "",
        "task": "ship it",
        "status": "running",
        "status_now": "ok",
        "error": "",
        "started_at_ns": ns(0),
        "ended_at_ns": None,
        "llm_calls": 0,
        "tool_calls": 1,
        "returned": {"Agent": 1},
        "context_tokens": None,
    }
    assert tree["agents"][1]["context_tokens"] == 910
    assert [each["tool_call_id"] for each in tree["running_tools"]] == ["open"]
    assert [each["error"] for each in tree["failures"]] == ["exit 1"]


def test_before_the_run_there_is_nothing() -> None:
    """A moment before the first row finds nobody."""
    standings = Standings(_run())
    assert standings.counters(START_NS - 1).agents == 0
    assert standings.tree(START_NS - 1)["agents"] == []


def test_of_a_thousand_agents_those_at_work_are_listed_first() -> None:
    """The list is bounded, the counters are not; who runs is never left out."""
    building = Building()
    building.agent("main", 0, None)
    for number in range(1500):
        building.agent(f"{number:04}", 1 + number * 0.001, 10, parent="main")
    for number in range(3):
        building.agent(f"late-{number}", 20, None, parent="main")
    tree = Standings(building.run()).tree(ns(30))
    running = [
        each["agent_id"] for each in tree["agents"] if each["status"] == "running"
    ]
    assert running == ["main", "late-0", "late-1", "late-2"]
    assert (len(tree["agents"]), tree["agents_left_out"]) == (1000, 504)


_SECONDS = st.one_of(
    st.integers(-5, 60), st.sampled_from([-1_790_000_000, 2_310_000_000])
)


@st.composite
def _runs(draw: Any) -> Run:
    building = Building()
    count = draw(st.integers(1, 6))
    for number in range(count):
        start = draw(_SECONDS)
        end = draw(st.one_of(st.none(), _SECONDS))
        parent = f"a{draw(st.integers(0, count - 1))}"
        building.agent(f"a{number}", start, end, parent=parent)
    for _ in range(draw(st.integers(0, 6))):
        took = draw(st.one_of(st.none(), st.integers(-3, 30)))
        building.tool(f"a{draw(st.integers(0, count))}", draw(_SECONDS), took)
    for _ in range(draw(st.integers(0, 6))):
        building.call("a0", draw(_SECONDS), draw(st.integers(-3, 30)), InputTokens=1)
    return building.run()


@settings(max_examples=60, deadline=None)
@given(run=_runs(), first=_SECONDS, second=_SECONDS)
def test_what_has_happened_never_unhappens(run: Run, first: int, second: int) -> None:
    """The later of two moments has at least as many starts, ends and tokens.

    And a tree whose parts add up, whatever circles and times the run has.
    """
    standings = Standings(run)
    early, late = sorted((ns(first), ns(second)))
    one, other = standings.counters(early), standings.counters(late)
    assert one.agents <= other.agents
    assert one.agents - one.agents_running <= other.agents - other.agents_running
    assert one.llm_calls <= other.llm_calls
    assert one.tool_calls <= other.tool_calls
    assert (one.tokens[0] or 0) <= (other.tokens[0] or 0)
    tree = standings.tree(late)
    assert len(tree["agents"]) == other.agents
    statuses = [each["status"] for each in tree["agents"]]
    assert statuses.count("running") == other.agents_running
    assert len(tree["running_tools"]) == other.tools_running
    assert all(
        mark_one <= mark_other + 1e-9
        for mark_one, mark_other in zip(
            standings.mark(early), standings.mark(late), strict=True
        )
    )


def test_a_price_that_comes_late_changes_the_mark() -> None:
    """Tokens, costs and words may come after the times that they belong to."""

    def mark(**given: Any) -> tuple[float, ...]:
        building = Building()
        building.agent("main", 0, 100, Task=given.pop("Task", ""))
        building.call("main", 10, 5, **given)
        return Standings(building.run()).mark(ns(50))

    marks = [mark(), mark(InputTokens=5), mark(CostUsd=0.5), mark(Task="ship it")]
    assert len(set(marks)) == 4
    assert mark(InputTokens=5) == mark(InputTokens=5)
