import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.runaway_fanout import RunawayFanout
from fleetspan_collector.processors.finding import Finding, Severity
from tests.collector_processor.processors.building import Building

SETTINGS = ProcessorSettings(
    detect_runaway_fanout_children=10,
    detect_runaway_fanout_agents=30,
    detect_runaway_fanout_depth=5,
    detect_runaway_fanout_per_minute=20,
    detect_runaway_fanout_usual=4,
    detect_runaway_fanout_usual_depth=2,
)


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(RunawayFanout(SETTINGS).findings(building.run()))


def fanned(children: int, *, end: float | None = 100.0) -> Building:
    """Return a main agent with so many sub-agents."""
    building = Building()
    building.agent("main", 0, end)
    for number in range(children):
        start = 1 + number / 100
        spawn = building.tool("main", start, 10, tool="Task", call_id=f"t{number:03d}")
        agent = building.agent(
            f"a{number:03d}", start, start + 9, parent="main", spawned_by=spawn
        )
        building.call(agent, start, 9, CostUsd=0.5)
    return building


def test_too_many_sub_agents_of_one_parent() -> None:
    """Saved is what those beyond the usual four cost."""
    [finding] = found(fanned(11))
    assert finding.location == "agent:main"
    assert finding.severity is Severity.HIGH
    assert finding.details == {"children": 11, "beyond": 7}
    assert finding.usd == pytest.approx(3.5)
    assert finding.agents == (0, 5, 6, 7, 8, 9, 10, 11)


def test_as_many_as_are_allowed_are_no_runaway() -> None:
    """Ten are allowed."""
    assert found(fanned(10)) == []


def test_it_is_critical_while_the_run_goes_on() -> None:
    """It can still be stopped."""
    [finding] = found(fanned(11, end=None))
    assert finding.severity is Severity.CRITICAL


def test_too_deep_nesting() -> None:
    """A chain of six below the main agent, of which two levels are usual."""
    building = Building()
    building.agent("a0", 0, 100)
    for level in range(1, 7):
        building.agent(f"a{level}", level, 100 - level, parent=f"a{level - 1}")
        building.call(f"a{level}", level + 0.5, 0.5, CostUsd=1.0)
    [finding] = found(building)
    assert finding.location == "depth"
    assert finding.details == {"depth": 6, "beyond": 4}
    assert finding.agents == (6, 3, 4, 5)
    assert finding.usd == 4.0


def test_many_at_once_below_several_parents() -> None:
    """Each parent has few, but the run starts 21 agents within a minute."""
    building = Building()
    building.agent("main", 0, 100)
    for lead in range(4):
        building.agent(f"lead{lead}", 1, 90, parent="main")
        for worker in range(4):
            building.agent(f"w{lead}-{worker}", 2, 80, parent=f"lead{lead}")
    [finding] = found(building)
    assert finding.location == "agents"
    assert finding.details == {"agents": 21, "within_a_minute": 21, "beyond": 17}
    assert finding.usd == 0.0


def test_costs_that_nobody_knows_are_unknown() -> None:
    """Calls without a price leave the saving open."""
    building = Building()
    building.agent("main", 0, 100)
    for number in range(11):
        building.agent(f"a{number:03d}", 1, 9, parent="main")
        building.call(f"a{number:03d}", 1, 8)
    [finding] = found(building)
    assert finding.usd is None


def test_a_circle_of_parents_has_an_answer() -> None:
    """Whoever started first in it is its top."""
    building = Building()
    for number in range(12):
        building.agent(f"a{number:02d}", number, 50, parent=f"a{(number - 1) % 12:02d}")
    [finding] = found(building)
    assert finding.location == "depth"
    assert finding.details["depth"] == 11
