import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.baselines import Baseline, Baselines
from fleetspan_collector.processors.detectors._history import beyond_chance
from fleetspan_collector.processors.detectors.slower_than_usual import SlowerThanUsual
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building

SETTINGS = ProcessorSettings(
    detect_slower_than_usual_samples=30,
    detect_slower_than_usual_runs=5,
    detect_slower_than_usual_factor=2.0,
    detect_slower_than_usual_seconds=20.0,
    detect_slower_than_usual_usd=0.5,
)


def history(
    p50: float, p90: float, p99: float, *, samples: int = 100, runs: int = 20
) -> Baseline:
    """Return a baseline."""
    return Baseline(
        samples=samples, runs=runs, p50=p50, p90=p90, p95=(p90 + p99) / 2, p99=p99
    )


def context(**known: Baseline) -> Context:
    """Return a context with histories by ``KIND_SUBJECT_MEASURE``."""
    return Context(
        settings=SETTINGS,
        baselines=Baselines(
            known={tuple(key.split("_")): each for key, each in known.items()}  # type: ignore[misc]
        ),
    )


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(SlowerThanUsual(SETTINGS).findings(building.run()))


def test_a_tool_call_beyond_its_history_is_slower() -> None:
    """50 s, where 5 s is usual and 20 s is the 99th percentile: 45 s are lost."""
    building = Building(context=context(tool_Bash_seconds=history(5, 10, 20)))
    building.agent("main", 0, 60)
    building.tool("main", 5, 50)
    [finding] = found(building)
    assert finding.location == "tool:Bash"
    assert finding.tools == (0,)
    assert finding.seconds == pytest.approx(45)
    assert finding.usd == 0.0
    assert finding.severity is Severity.HIGH
    assert finding.details == {
        "measure": "seconds",
        "took": 50.0,
        "usual": 5.0,
        "p99": 20.0,
        "samples": 100,
    }


def test_a_call_within_its_history_is_not() -> None:
    """19 s is below the 99th percentile."""
    building = Building(context=context(tool_Bash_seconds=history(5, 10, 30)))
    building.agent("main", 0, 60)
    building.tool("main", 5, 29)
    assert found(building) == []


@pytest.mark.parametrize(("samples", "runs"), [(29, 20), (100, 4)])
def test_too_little_history_says_nothing(samples: int, runs: int) -> None:
    """At least 30 samples from 5 runs."""
    known = history(5, 10, 20, samples=samples, runs=runs)
    building = Building(context=context(tool_Bash_seconds=known))
    building.agent("main", 0, 60)
    building.tool("main", 5, 50)
    assert found(building) == []


def test_many_values_have_more_chances() -> None:
    """One in 4,000 is 3.48 deviations out, where the 99th percentile is 2.33."""
    usual = history(1, 3, 10)
    assert beyond_chance(usual, looked_at=1) == pytest.approx(
        10 ** (3.481 / 2.326), 0.01
    )
    assert beyond_chance(usual, looked_at=10) == pytest.approx(
        10 ** (4.056 / 2.326), 0.01
    )


def test_the_middle_of_many_varies_less() -> None:
    """The middle one of a hundred has an eighth of the deviation of one."""
    usual = history(1, 3, 10)
    assert beyond_chance(usual, looked_at=1, together=100) == pytest.approx(
        1.335, abs=0.001
    )


def test_a_model_that_is_slow_all_along_is_slower() -> None:
    """Eight calls of 12 s, where 4 s is usual: no single one is beyond chance."""
    building = Building(
        context=context(**{"model_claude-sonnet-4-5_seconds": history(4, 10, 30)})
    )
    building.agent("main", 0, 96)
    for number in range(8):
        building.call("main", 12 * number, 12)
    [finding] = found(building)
    assert finding.location == "model:claude-sonnet-4-5"
    assert finding.calls == (0, 1, 2, 3, 4, 5, 6, 7)
    assert finding.seconds == pytest.approx(64)


def test_one_slow_agent_does_not_make_its_model_slow() -> None:
    """Six of eight calls are slow, but those of one of three agents."""
    building = Building(
        context=context(**{"model_claude-sonnet-4-5_seconds": history(4, 10, 30)})
    )
    for agent, calls, seconds in (("a", 6, 12), ("b", 1, 4), ("c", 1, 4)):
        building.agent(agent, 0, 72)
        for number in range(calls):
            building.call(agent, 12 * number, seconds)
    assert found(building) == []


@pytest.mark.parametrize(("commands", "count"), [(8, 1), (2, 0)])
def test_one_slow_command_does_not_make_its_tool_slow(
    commands: int, count: int
) -> None:
    """Eight calls of 60 s are one value if they are the same command."""
    building = Building(context=context(tool_Bash_seconds=history(5, 20, 100)))
    building.agent("main", 0, 480)
    for number in range(8):
        building.tool("main", 60 * number, 60, ArgumentsHash=f"{number % commands}")
    assert len(found(building)) == count


def test_a_single_step_beyond_chance_makes_no_run_slow() -> None:
    """What it took more is a dominating step's."""
    building = Building(
        context=context(
            tool_Bash_seconds=history(1, 3, 10), run_run_seconds=history(60, 90, 100)
        )
    )
    building.agent("main", 0, 400)
    for number in range(40):
        building.tool("main", number, 1, ArgumentsHash=f"{number}")
    building.tool("main", 40, 360, ArgumentsHash="long")
    assert found(building) == []


@pytest.mark.parametrize(("usual_run_s", "place"), [(60, "run:seconds"), (90, None)])
def test_a_run_that_is_slow_in_everything_is_one_finding(
    usual_run_s: int, place: str | None
) -> None:
    """Models and tools take three times as long as usual: 144 s were 48 s.

    Not where such a run is usually as long.
    """
    building = Building(
        context=context(
            run_run_seconds=history(usual_run_s, 300, 400),
            tool_Bash_seconds=history(2, 8, 30),
            **{"model_claude-sonnet-4-5_seconds": history(4, 12, 40)},
        )
    )
    building.agent("main", 0, 144)
    for number in range(8):
        building.call("main", 18 * number, 12)
        building.tool("main", 18 * number + 12, 6, ArgumentsHash=f"{number}")
    findings = found(building)
    assert [each.location for each in findings] == ([place] if place else [])
    for finding in findings:
        assert finding.agents == (0,)
        assert finding.seconds == pytest.approx(96)


def test_an_agent_is_slower_than_its_history() -> None:
    """Its name is its history's; the gap in it has no other explanation."""
    building = Building(context=context(agent_coder_seconds=history(60, 90, 120)))
    building.agent("a", 0, 200, Name="coder")
    building.call("a", 0, 20)
    building.call("a", 180, 20)
    [finding] = found(building)
    assert finding.location == "agent:a:seconds"
    assert finding.agents == (0,)
    assert finding.seconds == pytest.approx(140)


def test_an_agent_that_did_more_is_not_slower() -> None:
    """Forty commands at the usual 5 s are more work, not slower work."""
    building = Building(
        context=context(
            agent_coder_seconds=history(60, 90, 100), tool_Bash_seconds=history(5, 8, 9)
        )
    )
    building.agent("a", 0, 200, Name="coder")
    for number in range(40):
        building.tool("a", 5 * number, 5, ArgumentsHash=f"{number}")
    assert found(building) == []


def test_only_the_deepest_cause_is_named() -> None:
    """A slow tool call makes its agent, that one's parent and the run slow."""
    building = Building(
        context=context(
            tool_Bash_seconds=history(5, 10, 20),
            agent_child_seconds=history(60, 90, 120),
            agent_main_seconds=history(70, 90, 120),
            run_run_seconds=history(70, 90, 120),
        )
    )
    building.agent("main", 0, 250)
    building.agent("child", 10, 240, parent="main")
    building.tool("child", 10, 200)
    building.call("child", 210, 30)
    assert [each.location for each in found(building)] == ["tool:Bash"]


def test_a_run_is_slower_than_its_history() -> None:
    """Nothing in it has a history of its own."""
    building = Building(context=context(run_run_seconds=history(60, 90, 120)))
    building.agent("main", 0, 200)
    [finding] = found(building)
    assert finding.location == "run:seconds"
    assert finding.seconds == pytest.approx(140)
    assert finding.severity is Severity.MEDIUM


def test_a_run_and_an_agent_are_dearer_than_their_history() -> None:
    """An agent that explains it is named in the run's place."""
    building = Building(
        context=context(
            run_run_usd=history(1.0, 1.5, 2.0), agent_coder_usd=history(1.0, 1.5, 2.0)
        )
    )
    building.agent("a", 0, 200, Name="coder")
    building.call("a", 0, 200, CostUsd=5.0)
    [finding] = found(building)
    assert finding.location == "agent:a:usd"
    assert finding.usd == 4.0
    assert finding.seconds == 0.0
    building = Building(context=context(run_run_usd=history(1.0, 1.5, 2.0)))
    building.agent("a", 0, 200)
    building.call("a", 0, 200, CostUsd=5.0)
    [finding] = found(building)
    assert finding.location == "run:usd"
    assert finding.usd == 4.0


def test_failed_calls_are_not_held_against_history() -> None:
    """A time-out takes as long as it is set to."""
    building = Building(
        context=context(**{"model_claude-sonnet-4-5_seconds": history(4, 10, 30)})
    )
    building.agent("main", 0, 200)
    building.call("main", 0, 200, Error="timeout")
    assert found(building) == []


def test_open_runs_are_not_looked_at() -> None:
    """What goes on has no duration yet."""
    building = Building(context=context(run_run_seconds=history(60, 90, 120)))
    building.agent("main", 0, None, LastActivity=10**18)
    assert found(building) == []


def test_a_run_without_history_says_nothing() -> None:
    """Nothing is said of nothing."""
    assert found(Building()) == []
