import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.retry_storm import RetryStorm
from fleetspan_collector.processors.finding import Finding
from tests.collector_processor.processors.building import Building

SETTINGS = ProcessorSettings(
    detect_retry_storm_attempts=4, detect_retry_storm_window_s=60.0
)


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(RetryStorm(SETTINGS).findings(building.run()))


def failing_calls(
    count: int, *, pause: float = 4.0, agents: int = 1, usd: float | None = None
) -> Building:
    """Return agents in turn that fail so often, each time for a second, then succeed."""
    building = Building()
    here = 0.0
    for number in range(count):
        agent = f"main{number % agents}"
        building.call(agent, here, 1, Error="timeout", CostUsd=usd)
        here += 1 + pause
    for number in range(agents):
        building.call(f"main{number}", here, 5)
        building.agent(f"main{number}", 0, here + 5)
    return building


def test_failed_calls_in_a_row_are_a_storm() -> None:
    """Four attempts of a second and four waits of 4 s."""
    [finding] = found(failing_calls(4, usd=0.25))
    assert finding.location == "call:call-1"
    assert finding.calls == (0, 1, 2, 3)
    assert finding.agents == (0,)
    assert finding.seconds == pytest.approx(20)
    assert finding.usd == 1.0
    assert finding.details == {"attempts": 4, "error": "timeout"}


def test_what_an_attempt_put_into_the_cache_is_not_lost() -> None:
    """The first attempt paid for 100,000 tokens that all later ones read from the cache.

    At 3 USD a million and a tenth of it for reading: without the storm the call that
    worked had paid the 0.30, and not the 0.03 of reading.
    """
    building = Building()
    building.agent("main", 0, 60)
    for number in range(5):
        building.call(
            "main",
            5 * number,
            1,
            Error="" if number == 4 else "timeout",
            InputTokens=0 if number else 100_000,
            CacheReadTokens=100_000 if number else 0,
            CacheWriteTokens=0,
            OutputTokens=0,
            CostUsd=0.03 if number else 0.3,
        )
    [finding] = found(building)
    assert finding.usd == pytest.approx(0.3 + 3 * 0.03 - 0.27)


def test_attempts_with_tokens_but_no_price_cost_nobody_knows_what() -> None:
    """Unknown is not nothing."""
    building = Building()
    building.agent("main", 0, 60)
    for number in range(4):
        building.call("main", 5 * number, 1, Error="timeout", InputTokens=1_000)
    [finding] = found(building)
    assert finding.usd is None


def test_three_in_a_row_are_common() -> None:
    """Four make a storm."""
    assert found(failing_calls(3)) == []


def test_attempts_that_are_far_apart_are_no_storm() -> None:
    """Each is tried a minute and a second after the one before."""
    assert found(failing_calls(5, pause=61)) == []


def test_agents_are_told_apart() -> None:
    """Two agents with two failures each."""
    assert found(failing_calls(4, agents=2)) == []


def test_a_success_between_failures_ends_the_row() -> None:
    """Two and three are not five."""
    building = failing_calls(3)
    building.call("main0", 20, 1)
    for number in range(2):
        building.call("main0", 30 + number, 0.5, Error="timeout")
    assert found(building) == []


def test_attempts_within_a_call_count() -> None:
    """Five attempts at a call that worked in the end: four were in vain."""
    building = Building()
    building.agent("main", 0, 40)
    building.call("main", 0, 30, Attempts=5)
    [finding] = found(building)
    assert finding.location == "call:call-1"
    assert finding.details["attempts"] == 4
    assert finding.usd == 0.0


def test_a_call_that_worked_in_the_end_ends_the_row() -> None:
    """Two attempts in vain at each of three calls are not six at one."""
    building = Building()
    building.agent("main", 0, 40)
    for number in range(3):
        building.call("main", 10 * number, 9, Attempts=3)
    assert found(building) == []


def test_attempts_that_failed_for_good_count_too() -> None:
    """A call that says it was tried ten times is ten attempts."""
    building = Building()
    building.agent("main", 0, 40)
    building.call("main", 0, 30, Attempts=10, Error="529")
    [finding] = found(building)
    assert finding.details["attempts"] == 10


def failing_tools(
    count: int, *, thinks: bool = False, arguments: str = "a"
) -> Building:
    """Return an agent that has so many tool calls fail, each after 2 s."""
    building = Building()
    here = 0.0
    building.call("main", here, 1)
    here += 1
    for number in range(count):
        building.tool(
            "main",
            here,
            2,
            tool="fetch",
            ArgumentsHash=f"{arguments}{number if arguments == '#' else ''}",
            Success=0,
            Error=f"connection {number} refused",
        )
        here += 2
        if thinks:
            building.call("main", here, 1)
            here += 1
    building.call("main", here, 5)
    building.agent("main", 0, here + 5)
    return building


def test_a_tool_that_a_program_repeats_is_a_storm() -> None:
    """Four times the same arguments and, numbers apart, the same error."""
    [finding] = found(failing_tools(4))
    assert finding.location == "tool:tool-1"
    assert finding.tools == (0, 1, 2, 3)
    assert finding.seconds == pytest.approx(8)
    assert finding.usd == 0.0


def test_a_model_that_repeats_itself_is_no_storm() -> None:
    """That is a loop without progress, which another detector finds."""
    assert found(failing_tools(6, thinks=True)) == []


def test_a_model_is_asked_between_attempts_that_take_no_time_too() -> None:
    """The next call begins at the very moment at which the attempt began and ended."""
    building = Building()
    building.agent("main", 0, 10)
    for number in range(6):
        building.call("main", number, 1)
        building.tool(
            "main", number + 1, 0, Success=0, Error="refused", ArgumentsHash="a"
        )
    assert found(building) == []


def test_other_arguments_are_other_attempts() -> None:
    """A list of broken links is not one link tried again."""
    assert found(failing_tools(6, arguments="#")) == []


def test_a_run_without_calls_has_no_storm() -> None:
    """Nothing is said of nothing."""
    assert found(Building()) == []
