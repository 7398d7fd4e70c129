"""Which results are too large, whether they were given to the model, and their cost."""

from __future__ import annotations

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.detectors.oversized_output import OversizedOutput
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

PRICES = PriceBook({"house": {"input": 10, "cache_read": 1, "output": 50}})


def building() -> Building:
    """Begin a run of one agent."""
    made = Building(context=Context(prices=PRICES))
    made.agent("main", 0, 10_000)
    return made


def call(
    made: Building, at: float, fresh: int, read: int, model: str = "house"
) -> None:
    """Add a call, with what it costs."""
    made.call(
        "main",
        at,
        1,
        Model=model,
        Provider="",
        InputTokens=fresh,
        CacheReadTokens=read,
        CacheWriteTokens=0,
        OutputTokens=100,
        CostUsd=(fresh * 10 + read + 5_000) / 1e6,
    )


def found(made: Building) -> list[Finding]:
    """Return what is found in the run."""
    return list(OversizedOutput(ProcessorSettings()).findings(made.run()))


def test_a_large_result_costs_once_as_input_and_then_as_reads() -> None:
    """30,000 tokens, of which 2,000 would do: 28,000 once at 10 and three times at 1."""
    made = building()
    call(made, 0, 5_000, 0)
    made.tool("main", 2, 1, tool="Read", ResultBytes=120_000)
    call(made, 5, 30_100, 5_000)
    for step in range(3):
        call(made, 10 + step * 5, 200, 35_100 + step * 200)
    (finding,) = found(made)
    assert finding.tools == (0,)
    assert finding.calls == (1,)
    assert finding.location == "main/Read"
    assert finding.details["tokens"] == 30_000
    assert finding.usd == pytest.approx(28_000 * (10 + 3) / 1e6)


def test_a_result_that_the_client_cut_counts_as_what_was_given() -> None:
    """A megabyte of which the next call had 12,000 tokens."""
    made = building()
    call(made, 0, 5_000, 0)
    made.tool("main", 2, 1, ResultBytes=1_000_000)
    call(made, 5, 12_100, 5_000)
    (finding,) = found(made)
    assert finding.details["tokens"] == 12_000


def test_a_result_that_no_call_was_given_costs_nothing() -> None:
    """Written to a file, or read by nobody."""
    made = building()
    call(made, 0, 5_000, 0)
    made.tool("main", 2, 1, ResultBytes=1_000_000)
    call(made, 5, 400, 5_000)
    made.tool("main", 7, 1, ResultBytes=1_000_000)
    assert found(made) == []


def test_results_of_one_message_share_the_growth_by_their_size() -> None:
    """Three quarters and one quarter of 40,000 tokens."""
    made = building()
    call(made, 0, 5_000, 0)
    made.tool("main", 2, 1, tool="Read", ResultBytes=300_000)
    made.tool("main", 2, 1, tool="Grep", ResultBytes=100_000)
    call(made, 5, 40_100, 5_000)
    read, grep = sorted(found(made), key=lambda each: each.location, reverse=True)
    assert read.details["tokens"] == 30_000
    assert grep.details["tokens"] == 10_000


def test_after_the_conversation_shrank_the_result_is_gone() -> None:
    """The calls after a summary no longer read it."""
    made = building()
    call(made, 0, 5_000, 0)
    made.tool("main", 2, 1, ResultBytes=120_000)
    call(made, 5, 30_100, 5_000)
    call(made, 10, 200, 35_100)
    for step in range(5):
        call(made, 15 + step * 5, 6_000, 0)
    (finding,) = found(made)
    assert finding.usd == pytest.approx(28_000 * (10 + 1) / 1e6)


def test_results_of_usual_size_are_well() -> None:
    """9,000 tokens each, thirty times."""
    made = building()
    call(made, 0, 5_000, 0)
    for step in range(30):
        made.tool("main", step * 10 + 2, 1, ResultBytes=36_000)
        call(made, step * 10 + 5, 9_000, 5_000 + step * 9_000)
    assert found(made) == []


def test_a_large_result_of_an_agent_that_costs_much_more_is_not_told() -> None:
    """Less than 3 % of the agent's cost."""
    made = building()
    for step in range(4):
        call(made, step * 2, 200_000, 0)
    made.tool("main", 20, 1, ResultBytes=60_000)
    call(made, 25, 15_000, 200_000)
    assert found(made) == []
