import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.rate_limit_wait import RateLimitWait
from fleetspan_collector.processors.finding import Finding, Severity
from tests.collector_processor.processors.building import Building

SETTINGS = ProcessorSettings(detect_rate_limit_wait_seconds=10.0)


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(RateLimitWait(SETTINGS).findings(building.run()))


def refused(error: str, *, wait: float = 20.0, times: int = 1) -> Building:
    """Return a run of two calls of 10 s, and between them refusals and waits."""
    building = Building()
    building.call("main", 0, 10)
    here = 10.0
    for _ in range(times):
        building.call("main", here, 1, Error=error)
        here += 1 + wait
    building.call("main", here, 10)
    building.agent("main", 0, here + 10)
    return building


@pytest.mark.parametrize(
    "error",
    [
        "429",
        "529",
        "RateLimitError",
        "rate_limit_error",
        "Error code: 429 - too many requests",
        "overloaded_error",
        "ThrottlingException",
        "RESOURCE_EXHAUSTED",
    ],
)
def test_a_wait_for_a_limit_is_found(error: str) -> None:
    """20 s of waiting and the refused call's second are lost."""
    [finding] = found(refused(error))
    assert finding.location == "model:claude-sonnet-4-5"
    assert finding.calls == (1, 2)
    assert finding.agents == (0,)
    assert finding.seconds == pytest.approx(21)
    assert finding.usd == 0.0
    assert finding.severity is Severity.HIGH


@pytest.mark.parametrize("error", ["500", "context_length_exceeded", "4290", "error"])
def test_other_errors_are_no_limits(error: str) -> None:
    """They are not what a higher limit would help with."""
    assert found(refused(error)) == []


def test_the_waits_of_one_model_are_one_finding() -> None:
    """Three refusals, each with 20 s of waiting."""
    [finding] = found(refused("429", times=3))
    assert finding.calls == (1, 2, 3, 4)
    assert finding.seconds == pytest.approx(63)
    assert finding.details == {
        "refused": 3,
        "agents": 1,
        "model": "claude-sonnet-4-5",
        "longest_wait_s": 60.0,
    }


def test_a_limit_that_costs_seconds_works_as_it_should() -> None:
    """Two seconds are the usual first back-off."""
    assert found(refused("429", wait=2)) == []


@pytest.mark.parametrize(("until", "count"), [(60, 0), (90, 1)])
def test_waits_beside_the_path_cost_no_time(until: int, count: int) -> None:
    """A longer sibling hides them; six times the least seconds are told all the same."""
    building = Building()
    building.agent("main", 0, 100)
    for number, end in enumerate((100, until)):
        spawn = building.tool("main", 0, end, tool="Task", call_id=f"t{number}")
        building.agent(f"a{number}", 0, end, parent="main", spawned_by=spawn)
    building.call("a0", 0, 100)
    building.call("a1", 0, 1, Error="429")
    building.call("a1", until - 10, 10)
    findings = found(building)
    assert [each.seconds for each in findings] == [0.0] * count
    assert {each.severity for each in findings} <= {Severity.LOW}


def test_what_came_before_the_first_refusal_is_not_saved() -> None:
    """A person thought for 100 s, then a call was refused and tried again after 20 s."""
    building = Building()
    building.agent("main", 0, 141)
    building.call("main", 0, 10)
    building.call("main", 110, 1, Error="429")
    building.call("main", 131, 10)
    [finding] = found(building)
    assert finding.seconds == pytest.approx(21)


def test_a_run_without_calls_has_no_waits() -> None:
    """Nothing is said of nothing."""
    assert found(Building()) == []
