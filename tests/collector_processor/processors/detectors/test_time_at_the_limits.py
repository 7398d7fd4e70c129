from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.baselines import Baseline, Baselines
from fleetspan_collector.processors.detectors.dominating_step import DominatingStep
from fleetspan_collector.processors.detectors.rate_limit_wait import RateLimitWait
from fleetspan_collector.processors.detectors.retry_storm import RetryStorm
from fleetspan_collector.processors.detectors.runaway_fanout import RunawayFanout
from fleetspan_collector.processors.detectors.serialised_subagents import (
    SerialisedSubagents,
)
from fleetspan_collector.processors.detectors.slower_than_usual import SlowerThanUsual
from fleetspan_collector.processors.detectors.straggler import Straggler
from fleetspan_collector.processors.detectors.stuck_agent import StuckAgent
from fleetspan_collector.processors.finding import Finding
from fleetspan_collector.processors.run import Context, Run
from tests.collector_processor.processors.building import Building, ns

SETTINGS = ProcessorSettings()
DETECTORS = (
    DominatingStep(SETTINGS),
    SerialisedSubagents(SETTINGS),
    Straggler(SETTINGS),
    RateLimitWait(SETTINGS),
    RetryStorm(SETTINGS),
    SlowerThanUsual(SETTINGS),
    StuckAgent(SETTINGS),
    RunawayFanout(SETTINGS),
)
USUAL = Baseline(samples=100, runs=20, p50=1.0, p90=2.0, p95=3.0, p99=4.0)
CONTEXT = Context(
    now_ns=ns(1_000_000),
    baselines=Baselines(
        known={
            ("run", "run", "seconds"): USUAL,
            ("run", "run", "usd"): USUAL,
            ("agent", "worker", "seconds"): USUAL,
            ("agent", "worker", "usd"): USUAL,
            ("tool", "Bash", "seconds"): USUAL,
            ("model", "claude-sonnet-4-5", "seconds"): USUAL,
        }
    ),
)


def looked_at(run: Run) -> dict[str, list[Finding]]:
    """Return what all detectors of time and structure find, by name."""
    return {each.name: list(each.findings(run)) for each in DETECTORS}


def counts(found: dict[str, list[Finding]]) -> dict[str, int]:
    """Return how many findings there are, by detector that has any."""
    return {name: len(each) for name, each in found.items() if each}


def test_no_two_findings_of_a_detector_have_one_place() -> None:
    """And a place is a text that says which thing it is."""
    building = Building(context=CONTEXT)
    building.agent("main", 0, 4_000)
    for number in range(30):
        for attempt in range(5):
            start = 100.0 * number + 2 * attempt
            building.call("main", start, 1, Error="429")
            building.tool(
                "main",
                start + 50,
                1,
                Success=0,
                Error="refused",
                ArgumentsHash=f"{number}",
            )
        building.call("main", 100.0 * number + 30, 1)
    found = looked_at(building.run())
    assert len(found["retry_storm"]) == 40
    for findings in found.values():
        places = [each.location for each in findings]
        assert len(set(places)) == len(places)
        assert all(place and not place.isdigit() for place in places)


def test_twenty_thousand_failed_calls_are_a_few_findings() -> None:
    """The twenty longest rows of failures, and one wait for a limit."""
    building = Building(context=CONTEXT)
    here = 0.0
    for number in range(20_000):
        failed = number % 40 != 0
        building.call("main", here, 0.5, Error="529" if failed else "")
        here += 0.5 + (0.4 if failed else 0)
    building.agent("main", 0, here)
    found = looked_at(building.run())
    assert len(found["rate_limit_wait"]) == 1
    assert len(found["retry_storm"]) == 20
    assert found["retry_storm"][0].details["attempts"] == 39


def test_a_thousand_agents_at_once() -> None:
    """Too many of them; and as all take as long, none is a straggler."""
    building = Building(context=CONTEXT)
    building.call("main", 0, 1)
    for number in range(1_000):
        spawn = building.tool("main", 1, 30, tool="Task", call_id=f"t{number:04d}")
        agent = building.agent(
            f"a{number:04d}", 1, 31, parent="main", spawned_by=spawn, Name="porter"
        )
        building.call(agent, 1, 1)
    building.agent("main", 0, 31)
    found = looked_at(building.run())
    assert "straggler" not in counts(found)
    [runaway] = found["runaway_fanout"]
    assert runaway.details["children"] == 1_000
    assert len(runaway.agents) == 201


def test_agents_one_after_another_in_a_chain_of_five_thousand() -> None:
    """One row of them; and too deep where each starts the next."""
    building = Building(context=CONTEXT)
    building.call("main", 0, 1)
    for number in range(5_000):
        spawn = building.tool(
            "main", 1 + number, 1, tool="Task", call_id=f"t{number:04d}"
        )
        building.agent(
            f"a{number:04d}", 1 + number, 2 + number, parent="main", spawned_by=spawn
        )
    building.agent("main", 0, 5_001)
    [series] = looked_at(building.run())["serialised_subagents"]
    assert series.seconds == 4_999
    building = Building(context=CONTEXT)
    for number in range(5_000):
        building.agent(
            f"a{number:04d}",
            number,
            10_001 - number,
            parent=f"a{number - 1:04d}" if number else None,
        )
    [deep] = looked_at(building.run())["runaway_fanout"]
    assert deep.details["depth"] == 4_999


def test_times_that_cannot_be_and_circles_have_an_answer() -> None:
    """1970, 2100, ends before starts, parents in a circle and parents that never come."""
    building = Building(context=CONTEXT)
    for number in range(12):
        building.agent(
            f"a{number:02d}",
            number,
            50,
            parent=f"a{(number + 1) % 12:02d}" if number < 10 else "never",
            Name="worker",
        )
        building.call(f"a{number:02d}", 4e9, 1e9, Error="429")
        building.call(f"a{number:02d}", -1.79e9, -5)
        building.call(f"a{number:02d}", number + 1, 1, CostUsd=0.5)
        building.tool(f"a{number:02d}", number + 2, -3)
        building.tool(f"a{number:02d}", number + 2, None)
    for findings in looked_at(building.run()).values():
        for finding in findings:
            assert finding.seconds is None or 0 <= finding.seconds < 1e6


def test_an_empty_run_has_nothing_to_say() -> None:
    """Nor has one with rows of no agent that is known."""
    assert counts(looked_at(Building(context=CONTEXT).run())) == {}
    building = Building(context=CONTEXT)
    building.call("nobody", 0, 1)
    building.tool("nobody", 1, 1)
    assert counts(looked_at(building.run())) == {}
