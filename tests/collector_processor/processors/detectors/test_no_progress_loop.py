"""What is a loop, what is progress, and what a loop has cost."""

from __future__ import annotations

from typing import Any

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.derive.prices import PriceBook
from fleetspan_collector.processors.detectors.no_progress_loop import NoProgressLoop
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

PRICES = PriceBook({"house": {"input": 10, "cache_read": 1, "output": 50}})


def run_of(
    steps: str,
    *,
    results: str = "",
    error: str = "",
    end: float | None = 1_000,
    pause: float = 1.0,
    agent: str = "main",
    given: Building | None = None,
) -> Building:
    """Begin a run whose agent makes a call and a tool call for each letter of ``steps``.

    Args:
        steps: A letter is a tool call with arguments of its own.
        results: A letter is a result, one per step; as the steps if left out.
        error: What every tool call fails with, unless empty.
        end: When the agent ends; None while it goes on.
        pause: Seconds between a tool call and the next model call.
        agent: Id of the agent.
        given: A run to add to.
    """
    made = given or Building(context=Context(prices=PRICES))
    made.agent(agent, 0, end)
    at = 0.0
    pairs = zip(steps, results or steps, strict=True)
    for number, (step, result) in enumerate(pairs):
        tokens: dict[str, Any] = {
            "InputTokens": 100,
            "CacheReadTokens": 1_000 + 100 * number,
        }
        usd = (1_000 + 1_000 + 100 * number + 500) / 1e6
        made.call(
            agent,
            at,
            2,
            Model="house",
            Provider="",
            OutputTokens=10,
            CacheWriteTokens=0,
            CostUsd=usd,
            **tokens,
        )
        failed: dict[str, Any] = (
            {"Success": 0, "Error": f"{error} {number}"} if error else {}
        )
        made.tool(
            agent,
            at + 2,
            1,
            ArgumentsHash=step,
            ResultHash="" if error else result,
            **failed,
        )
        at += 3 + pause
    return made


def found(made: Building) -> list[Finding]:
    """Return what is found in the run."""
    return list(NoProgressLoop(ProcessorSettings()).findings(made.run()))


def test_the_same_call_with_the_same_result_three_times_is_a_loop() -> None:
    """The first time is no waste; its repeats and what asked for them are."""
    (finding,) = found(run_of("xaaay"))
    assert finding.tools == (1, 2, 3)
    assert finding.calls == (2, 3)
    assert finding.agents == (0,)
    assert finding.location == "tool-3"
    assert finding.severity is Severity.MEDIUM
    assert finding.details["times"] == 3
    assert finding.details["repeats"] == 2
    # Two turns of call, tool call and the pause before the next.
    assert finding.seconds == pytest.approx(8.0)
    # Two calls, and 200 tokens that the last one reads for nothing.
    assert finding.usd == pytest.approx((2_700 + 2_800 + 200) / 1e6)


def test_twice_is_no_loop() -> None:
    """People and models look twice."""
    assert found(run_of("xaay")) == []


def test_another_result_is_progress() -> None:
    """The tests run again, and one more of them passes."""
    assert found(run_of("aaaaaa", results="123456")) == []


def test_something_new_in_between_is_progress() -> None:
    """An edit between test runs that say the same."""
    assert found(run_of("axayazawa")) == []


def test_a_round_of_calls_is_a_loop() -> None:
    """A, B, A, B, A, B: two were needed, four were not."""
    (finding,) = found(run_of("ababab"))
    assert finding.tools == (0, 1, 2, 3, 4, 5)
    assert finding.calls == (2, 3, 4, 5)
    assert finding.details["different_calls"] == 2
    assert finding.details["times"] == 3


def test_a_round_of_four_in_another_order_is_a_loop() -> None:
    """The order does not matter, only that nothing is new."""
    (finding,) = found(run_of("abcdbadcabcd"))
    assert finding.details["different_calls"] == 4
    assert finding.details["repeats"] == 8


def test_a_round_of_five_is_no_loop() -> None:
    """So many different things may be a way of working."""
    assert found(run_of("abcdeabcdeabcde")) == []


def test_the_same_error_with_other_numbers_in_it_is_a_loop() -> None:
    """Times and ids in an error do not make it another one."""
    (finding,) = found(run_of("aaa", error="timed out, request"))
    assert finding.details["outcome"] == "error"
    assert finding.tools == (0, 1, 2)


def test_calls_whose_outcome_is_not_told_count_as_progress() -> None:
    """Without a hash of the result nobody can say that it was the same."""
    assert found(run_of("aaaaaa", results="rrrrrr")) != []
    made = Building()
    made.agent("main", 0, 100)
    for at in range(6):
        made.tool("main", at * 10, 1, ArgumentsHash="a", ResultHash="")
    assert found(made) == []


def test_whoever_looks_again_after_minutes_waits_for_something() -> None:
    """A build is looked after every six minutes."""
    assert found(run_of("aaaaaa", pause=360)) == []
    assert len(found(run_of("aaaaaa", pause=200))) == 1


def test_an_open_run_is_told_at_the_third_time() -> None:
    """That is when somebody can still stop it."""
    assert NoProgressLoop.live
    (finding,) = found(run_of("aaa", end=None))
    assert finding.severity is Severity.HIGH
    assert found(run_of("aa", end=None)) == []


def test_each_agent_is_looked_at_alone() -> None:
    """Two agents that do the same twice each are no loop."""
    made = run_of("aa")
    run_of("aa", agent="other", given=made)
    assert found(made) == []


def test_a_call_that_goes_on_has_no_result_yet() -> None:
    """It neither repeats nor ends the loop before it."""
    made = run_of("aaa", end=None)
    made.tool("main", 500, None, ArgumentsHash="a")
    (finding,) = found(made)
    assert finding.tools == (0, 1, 2)


def test_of_very_many_loops_the_longest_are_told() -> None:
    """Ten of them; each is looked at along the critical path, which takes its time."""
    steps = "".join(
        letter * (3 + letter.islower()) for letter in "aAbBcCdDeEfFgGhHiIjJ"
    )
    findings = found(run_of(steps))
    assert len(findings) == 10
    assert {each.details["times"] for each in findings} == {4}
