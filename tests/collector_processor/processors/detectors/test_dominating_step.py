import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.baselines import Baseline, Baselines
from fleetspan_collector.processors.detectors.dominating_step import DominatingStep
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

SETTINGS = ProcessorSettings(
    detect_dominating_step_share=0.3,
    detect_dominating_step_seconds=30.0,
    detect_dominating_step_factor=3.0,
    detect_dominating_step_peers=5,
)


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(DominatingStep(SETTINGS).findings(building.run()))


def stepped(
    *tools: float, context: Context | None = None, until: float | None = None
) -> Building:
    """Return calls of 2 s, each with a command of so many seconds after it.

    Args:
        tools: Seconds of each command.
        context: What is known beside the run.
        until: When the agent ends; None for with the last command.
    """
    building = Building(context=context)
    here = 0.0
    for number, seconds in enumerate(tools):
        building.call("main", here, 2)
        building.tool("main", here + 2, seconds, call_id=f"t{number}")
        here += 2 + seconds
    building.agent("main", 0, here if until is None else until)
    return building


def test_a_step_far_out_of_line_dominates() -> None:
    """100 of 121 s, where five others took a second in the middle."""
    [finding] = found(stepped(1, 1, 2, 100, 3, 1))
    assert finding.location == "tool:t3"
    assert finding.tools == (3,)
    assert finding.calls == ()
    assert finding.seconds == pytest.approx(99)
    assert finding.usd == 0.0
    assert finding.severity is Severity.HIGH
    assert finding.details["usual_s"] == 1.0
    assert finding.details["usual_by"] == "this run"


def test_a_wait_for_an_agent_is_no_step() -> None:
    """The call of 100 s from second 9.5 on ended with a helper in the background."""
    waiting = stepped(0.5, 0.5, 0.5, 100, 0.5, 0.5)
    assert [each.tools for each in found(waiting)] == [(3,)]
    waiting.tool("main", 0, 0.1, tool="Task", call_id="launch")
    waiting.agent("helper", 0, 109.4, parent="main", spawned_by="launch")
    assert found(waiting) == []


def test_a_long_step_among_long_steps_does_not() -> None:
    """Another took 40 s, which is within a factor of three."""
    assert found(stepped(1, 40, 2, 100, 3, 1)) == []


def test_a_long_step_with_a_small_share_does_not() -> None:
    """It is out of line with its kind, but the run spent its time elsewhere."""
    building = stepped(1, 1, 2, 60, 3, 1, until=500)
    for number in range(8):
        building.call("main", 100 + 50 * number, 50)
    assert found(building) == []


def test_waits_are_not_counted_among_the_work() -> None:
    """40 of 57 s of work dominate, whatever 200 s of back-off before them make of it."""
    building = stepped(1, 1, 1, 1, 1, until=258)
    building.call("main", 15, 1, Error="429")
    building.call("main", 216, 2)
    building.tool("main", 218, 40, call_id="long")
    [finding] = found(building)
    assert finding.location == "tool:long"
    assert finding.details["share"] == round(40 / 58, 4)


def test_the_only_step_of_its_kind_says_nothing() -> None:
    """A short run with one long command is what it is."""
    assert found(stepped(100)) == []


def test_history_stands_in_for_other_steps() -> None:
    """The 99th percentile, 20 s, is passed by a factor of five."""
    history = Baseline(samples=100, runs=20, p50=2.0, p90=8.0, p95=12.0, p99=20.0)
    context = Context(baselines=Baselines(known={("tool", "Bash", "seconds"): history}))
    [finding] = found(stepped(100, context=context))
    assert finding.details["usual_by"] == "its history"
    assert finding.seconds == pytest.approx(98)
    assert found(stepped(50, context=context)) == []


def test_a_wait_for_permission_before_it_stays() -> None:
    """Saved is the work beyond the usual second; 20 s of waiting are a person's."""
    building = stepped(1, 1, 1, 1, 1, until=135)
    building.tool("main", 15, 120, call_id="long", PermissionWaitMs=20_000.0)
    [finding] = found(building)
    assert finding.details["took_s"] == 100.0
    assert finding.seconds == pytest.approx(99)


def test_waiting_for_permission_is_no_work() -> None:
    """The command itself took 2 of 100 s."""
    building = stepped(1, 1, 2, 3, 1, until=118)
    building.tool("main", 18, 100, call_id="asked", PermissionWaitMs=98_000.0)
    assert found(building) == []


def test_a_tool_call_that_started_an_agent_is_no_step() -> None:
    """Its time is the sub-agent's."""
    building = stepped(1, 1, 2, 3, 1, until=118)
    building.tool("main", 18, 100, call_id="spawn")
    building.agent("helper", 18, 118, parent="main", spawned_by="spawn")
    assert found(building) == []


@pytest.mark.parametrize(("written", "count"), [(200, 1), (10_000, 0)])
def test_a_model_call_is_usual_for_what_it_wrote(written: int, count: int) -> None:
    """The others wrote 100 tokens a second."""
    building = Building()
    for number in range(6):
        building.call("main", 2 * number, 2, OutputTokens=200)
    building.call("main", 12, 100, OutputTokens=written)
    building.agent("main", 0, 112)
    assert len(found(building)) == count


def test_a_call_without_others_is_usual_for_what_it_wrote() -> None:
    """Twenty milliseconds a token: 100 s for 5,000 of them, however short others were."""
    history = Baseline(samples=100, runs=20, p50=2.0, p90=8.0, p95=12.0, p99=20.0)
    key = ("model", "claude-sonnet-4-5", "seconds")
    for written, count in ((5_000, 0), (500, 1)):
        building = Building(context=Context(baselines=Baselines(known={key: history})))  # type: ignore[dict-item]
        building.agent("main", 0, 110)
        building.call("main", 0, 110, OutputTokens=written)
        assert len(found(building)) == count


@pytest.mark.parametrize(("pace", "count"), [(1, 1), (5, 0)])
def test_an_agent_that_is_slow_in_everything_has_no_step_that_dominates(
    pace: int, count: int
) -> None:
    """Others write 100 tokens a second, it writes 20: then 250 s for 5,000 are usual."""
    building = Building()
    building.agent("main", 0, 310)
    for agent, times in (("a", 1), ("b", 1), ("c", pace)):
        building.agent(agent, 0, 310 if agent == "c" else 20, parent="main")
        for number in range(4):
            building.call(agent, 10 * number, 2 * times, OutputTokens=200)
    building.call("c", 60, 250, OutputTokens=5_000)
    assert len(found(building)) == count


def test_a_run_without_steps_has_none_that_dominates() -> None:
    """Nothing is said of nothing."""
    assert found(Building()) == []
