"""When a tool fails too often, and what its failures cost."""

from __future__ import annotations

from typing import Any

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.detectors.failing_tool import FailingTool
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

PRICES = PriceBook({"house": {"input": 10, "cache_read": 1, "output": 50}})


def turns(
    made: Building, outcomes: str, *, tool: str = "search", agent: str = "main"
) -> None:
    """Add a call and a tool call for each outcome: ``.`` is well, a letter an error."""
    made.agent(agent, 0, 1_000)
    for number, outcome in enumerate(outcomes):
        made.call(
            agent,
            number * 10,
            4,
            Model="house",
            Provider="",
            InputTokens=1_000,
            OutputTokens=0,
            CostUsd=0.01,
        )
        failed: dict[str, Any] = (
            {} if outcome == "." else {"Success": 0, "Error": f"error {outcome}"}
        )
        made.tool(
            agent,
            number * 10 + 4,
            6,
            tool=tool,
            ArgumentsHash=f"{agent}{tool}{number}",
            **failed,
        )


def building() -> Building:
    """Begin a run."""
    return Building(context=Context(prices=PRICES))


def found(made: Building) -> list[Finding]:
    """Return what is found in the run."""
    return list(FailingTool(ProcessorSettings()).findings(made.run()))


def test_three_failures_that_are_half_of_all_calls_are_told() -> None:
    """Time and calls that only led to them are saved."""
    made = building()
    turns(made, ".a.a.b")
    (finding,) = found(made)
    assert finding.location == "search"
    assert finding.tools == (1, 3, 5)
    assert finding.calls == (1, 3, 5)
    assert finding.agents == (0,)
    assert finding.details["failures"] == 3
    assert finding.details["calls"] == 6
    assert finding.details["error"] == "error a"
    assert finding.severity is Severity.MEDIUM
    assert finding.seconds == pytest.approx(30.0)
    assert finding.usd == pytest.approx(0.03)


def test_fewer_failures_or_a_smaller_share_are_not_told() -> None:
    """Two of two; three of seven."""
    made = building()
    turns(made, "aa")
    assert found(made) == []
    made = building()
    turns(made, ".a.a.b.")
    assert found(made) == []


def test_an_agent_may_fail_where_the_run_as_a_whole_is_well() -> None:
    """Its place is the tool and the agent."""
    made = building()
    turns(made, "....................")
    turns(made, "aaaa.", agent="lost")
    (finding,) = found(made)
    assert finding.location == "search/lost"
    assert finding.details["failures"] == 4
    assert finding.details["calls"] == 5
    assert finding.severity is Severity.HIGH


def test_three_failures_of_one_agent_among_many_may_be_chance() -> None:
    """There it takes one more than in the run as a whole."""
    made = building()
    turns(made, "....................")
    turns(made, "abc.", agent="unlucky")
    assert found(made) == []


def test_a_tool_that_fails_for_everybody_is_one_finding() -> None:
    """All agents are its evidence."""
    made = building()
    turns(made, "aaa")
    turns(made, "bbb", agent="other")
    (finding,) = found(made)
    assert finding.location == "search"
    assert finding.agents == (0, 1)


def test_the_same_call_that_fails_in_the_same_way_counts_once() -> None:
    """That is a retry or a loop, not a tool that does not work."""
    made = building()
    made.agent("main", 0, 100)
    for number in range(8):
        made.tool(
            "main", number, 1, ArgumentsHash="same", Success=0, Error="no such file"
        )
    assert found(made) == []


def test_failures_without_a_hash_of_their_arguments_count_each() -> None:
    """Nobody knows whether they are the same."""
    made = building()
    made.agent("main", 0, 100)
    for number in range(3):
        made.tool("main", number, 1, Success=0, Error="no such file")
    (finding,) = found(made)
    assert finding.details["failures"] == 3


def test_calls_that_nobody_saw_end_count_neither_way() -> None:
    """Three failed of five that ended."""
    made = building()
    turns(made, "aaa..")
    for number in range(20):
        made.tool("main", 100 + number, None, tool="search")
    (finding,) = found(made)
    assert finding.details["calls"] == 5


def test_a_call_that_also_asked_for_something_that_worked_is_not_wasted() -> None:
    """It would have been made without the failing tool."""
    made = building()
    turns(made, "aaa")
    made.tool("main", 14.5, 1, tool="Read")
    (finding,) = found(made)
    assert finding.calls == (0, 2)
