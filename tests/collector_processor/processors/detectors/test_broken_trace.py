"""Telemetry that cannot be right is told of, and telemetry that may be is not."""

from __future__ import annotations

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.broken_trace import BrokenTrace
from fleetspan_collector.processors.finding import Finding
from tests.collector_processor.processors.building import Building

YEAR_2100_S = 2_312_444_800.0
"""Seconds from the start of runs that are built here until the year 2100."""


def family(made: Building) -> Building:
    """Add a main agent and two sub-agents, with calls."""
    made.agent("main", 0, 100)
    made.call("main", 0, 5)
    for number, child in enumerate(("first", "second")):
        spawn = made.tool(
            "main", 10 + number, 60, tool="Task", call_id=f"spawn-{child}"
        )
        made.agent(child, 11 + number, 69 + number, parent="main", spawned_by=spawn)
        for at in range(6):
            made.call(child, 12 + number + at * 8, 4)
            made.tool(child, 16 + number + at * 8, 3)
    return made


def found(made: Building) -> dict[str, Finding]:
    """Return what is found in the run, by kind."""
    findings = BrokenTrace(ProcessorSettings()).findings(made.run())
    return {finding.location: finding for finding in findings}


def test_sound_telemetry_raises_nothing() -> None:
    """Sub-agents, calls and tool calls that fit together."""
    assert found(family(Building())) == {}


def test_parents_in_a_circle_are_told() -> None:
    """Both agents are the evidence; nothing can be saved."""
    made = family(Building())
    made.agent("egg", 20, 30, parent="hen")
    made.agent("hen", 21, 30, parent="egg")
    (finding,) = found(made).values()
    assert finding.location == "cyclic_parents"
    assert [made.run().agents.strings("AgentId")[row] for row in finding.agents] == [
        "egg",
        "hen",
    ]
    assert finding.seconds == 0.0
    assert finding.usd == 0.0
    assert finding.what == (
        "2 agents with parents that go round in a circle, for example egg, hen."
    )


def test_a_parent_that_never_came_is_told_once_the_run_is_over() -> None:
    """While it goes on, the parent may still come."""
    made = family(Building())
    made.agent("lost", 20, 30, parent="nobody")
    (finding,) = found(made).values()
    assert finding.location == "missing_parent"
    made.agent("late", 40, None)
    assert "missing_parent" not in found(made)


def test_an_end_before_the_start_is_told() -> None:
    """A duration of less than nothing, and an agent that ended before it began."""
    made = family(Building())
    made.call("main", 80, -3, call_id="backwards")
    made.agent("odd", 30, 20, parent="main")
    finding = found(made)["end_before_start"]
    assert finding.details["agents"] == 1
    assert finding.details["llm_calls"] == 1
    assert "backwards" in finding.what


def test_times_far_outside_are_told() -> None:
    """1970 and 2100."""
    made = family(Building())
    made.tool("first", -1_790_000_000.0, 1, call_id="unset")
    made.tool("first", YEAR_2100_S, 1, call_id="far")
    finding = found(made)["outside_time"]
    assert finding.details["tool_calls"] == 2
    assert "unset" in finding.what


def test_a_missing_end_in_a_run_that_is_over_is_told() -> None:
    """Of a tool call, when others have one."""
    made = family(Building())
    made.tool("first", 62, None, call_id="cut")
    finding = found(made)["missing_end"]
    assert finding.details["tool_calls"] == 1
    assert finding.details["agents"] == 0
    assert "cut" in finding.what


def test_missing_ends_are_normal_where_something_goes_on_or_was_abandoned() -> None:
    """An open run; an abandoned run; an abandoned agent of a run that is over."""
    made = family(Building())
    made.agent("busy", 50, None, parent="main")
    made.tool("busy", 60, None)
    assert found(made) == {}
    made = family(Building(status="abandoned"))
    made.tool("first", 62, None)
    assert found(made) == {}
    made = family(Building(status="ok"))
    made.agent("left", 50, None, parent="main", Status="abandoned")
    made.tool("left", 60, None)
    assert found(made) == {}


def test_feeds_that_never_tell_how_long_calls_take_are_no_fault() -> None:
    """Transcripts tell of the results of tools, and not how long a model took."""
    made = Building()
    made.agent("main", 0, 100)
    for at in range(5):
        made.call("main", at * 10, None)
        made.tool("main", at * 10 + 5, 2)
    assert found(made) == {}
    made = Building()
    made.agent("main", 0, 100)
    for at in range(5):
        made.call("main", at * 10, None)
        made.tool("main", at * 10 + 5, None)
    assert found(made) == {}


@pytest.mark.parametrize("shift", [-600.0, 5.0, 600.0])
def test_a_clock_that_differs_is_told(shift: float) -> None:
    """A sub-agent that its parent waited for, earlier or later than the wait."""
    made = Building()
    made.agent("main", 0, 1_000)
    spawn = made.tool("main", 700, 60, tool="Task")
    made.agent("child", 701 + shift, 759 + shift, parent="main", spawned_by=spawn)
    for at in range(6):
        made.call("child", 702 + shift + at * 8, 4)
        made.call("main", 761 + at * 4, 3)
    assert set(found(made)) == {"clock_skew"}


def test_an_agent_in_the_background_may_end_later() -> None:
    """The call that started it returned at once, or it was set to work again."""
    made = Building()
    made.agent("main", 0, 1_000)
    spawn = made.tool("main", 700, 2, tool="Task")
    made.agent("child", 701, 759, parent="main", spawned_by=spawn)
    waits = made.tool("main", 710, 60, tool="Task")
    made.agent("again", 711, 800, parent="main", spawned_by=waits, Activations=2)
    assert found(made) == {}
