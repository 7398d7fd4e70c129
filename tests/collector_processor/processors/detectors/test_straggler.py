from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.straggler import Straggler
from fleetspan_collector.processors.finding import Finding, Severity
from tests.collector_processor.processors.building import START_NS, Building

SETTINGS = ProcessorSettings(
    detect_straggler_siblings=3,
    detect_straggler_factor=2.5,
    detect_straggler_seconds=20.0,
)


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(Straggler(SETTINGS).findings(building.run()))


def fanned(*seconds: float, names: str = "reader", apart: float = 0.0) -> Building:
    """Return a main agent that waits for sub-agents of so many seconds."""
    building = Building()
    last = max(number * apart + each for number, each in enumerate(seconds))
    building.agent("main", 0, last + 20)
    building.call("main", 0, 10)
    for number, each in enumerate(seconds):
        start = 10 + number * apart
        spawn = building.tool("main", start, each, tool="Task", call_id=f"t{number}")
        agent = building.agent(
            f"a{number}",
            start,
            start + each,
            parent="main",
            spawned_by=spawn,
            Name=f"{names}-{number}",
        )
        building.call(agent, start, each)
    building.call("main", 10 + last, 10)
    return building


def test_one_that_takes_much_longer_is_a_straggler() -> None:
    """The middle one took 12 s; the run waited from the 14th second to the 100th."""
    [finding] = found(fanned(10, 100, 14, 12))
    assert finding.location == "agent:a1"
    assert finding.agents[0] == 2
    assert sorted(finding.agents) == [1, 2, 3, 4]
    assert finding.seconds == 86.0
    assert finding.usd == 0.0
    assert finding.severity is Severity.HIGH
    assert finding.details == {"took_s": 100.0, "usual_s": 12.0, "siblings": 4}


def test_moderately_different_siblings_are_healthy() -> None:
    """Twice the middle is within what tasks differ by."""
    assert found(fanned(40, 90, 44, 42)) == []


def test_a_second_slow_one_means_that_the_run_waited_less() -> None:
    """Nine seconds beyond the next slowest are not worth a finding."""
    assert found(fanned(10, 100, 91, 12, 11)) == []


def test_two_agents_have_no_middle() -> None:
    """One beside another cannot tell which of the two is unusual."""
    assert found(fanned(10, 100)) == []


def test_agents_of_different_kinds_are_not_compared() -> None:
    """A writer may take longer than two readers."""
    building = Building()
    building.agent("main", 0, 120)
    for number, (name, each) in enumerate((("read", 10), ("list", 12), ("write", 100))):
        spawn = building.tool("main", 10, each, tool="Task", call_id=f"t{number}")
        building.agent(name, 10, 10 + each, parent="main", spawned_by=spawn)
    assert found(building) == []


def test_agents_that_ran_one_after_another_are_not_compared() -> None:
    """They are no fan-out."""
    building = Building()
    building.agent("main", 0, 200)
    for number, (start, each) in enumerate(((0, 10), (12, 10), (24, 100), (126, 10))):
        spawn = building.tool("main", start, each, tool="Task", call_id=f"t{number}")
        building.agent(
            f"reader-{number}", start, start + each, parent="main", spawned_by=spawn
        )
    assert found(building) == []


def test_nobody_waited_for_one_in_the_background() -> None:
    """The run ends with the main agent's own work, whatever the slow one does."""
    building = Building()
    building.agent("main", 0, 200)
    building.call("main", 0, 200)
    for number, each in enumerate((10, 100, 12, 14)):
        spawn = building.tool("main", 10, 0.1, tool="Task", call_id=f"t{number}")
        building.agent(
            f"reader-{number}", 10, 10 + each, parent="main", spawned_by=spawn
        )
    assert found(building) == []


def waited_for(*ends: float) -> Building:
    """Return a main agent that waits for readers that end at so many seconds."""
    building = Building()
    building.agent("main", 0, max(ends))
    for number, end in enumerate(ends):
        spawn = building.tool("main", 0, end, tool="Task", call_id=f"t{number}")
        building.agent(
            f"a{number}", 0, end, parent="main", spawned_by=spawn, Name="reader"
        )
    return building


def test_who_waited_for_a_rate_limit_is_no_straggler() -> None:
    """80 of its 100 s are the provider's, which another detector names."""
    building = waited_for(100, 12, 14)
    building.call("a0", 0, 1, Error="429")
    building.call("a0", 81, 19)
    assert found(building) == []


def test_who_tried_in_vain_is_no_straggler() -> None:
    """Eight of ten turns got the result that it had before."""
    building = waited_for(100, 12, 14)
    for number in range(10):
        building.call("a0", 10 * number, 9)
        building.tool(
            "a0",
            10 * number + 9,
            1,
            ArgumentsHash=f"{min(number, 1)}",
            ResultHash=f"{min(number, 1)}",
        )
    assert found(building) == []


def test_who_did_as_much_with_new_results_is_a_straggler() -> None:
    """The same turns, each with another result."""
    building = waited_for(100, 12, 14)
    for number in range(10):
        building.call("a0", 10 * number, 9)
        building.tool(
            "a0", 10 * number + 9, 1, ArgumentsHash="same", ResultHash=f"{number}"
        )
    assert len(found(building)) == 1


def test_who_started_many_more_agents_is_no_straggler() -> None:
    """Four agents below it, where the others have none: that is a runaway's."""
    building = waited_for(100, 12, 14)
    for number in range(4):
        start = 20.0 * number
        agent = building.agent(f"b{number}", start, start + 20, parent="a0")
        building.call(agent, start, 20)
    assert found(building) == []


def test_whose_sub_agents_ran_one_after_another_is_no_straggler() -> None:
    """Three leads with three workers of 30 s each, one of them one by one."""
    building = waited_for(92, 32, 32, 32)
    for lead in range(4):
        for number in range(3):
            start = 30.0 * number if lead == 0 else 0.0
            agent = building.agent(
                f"w{lead}{number}", start + 1, start + 31, parent=f"a{lead}"
            )
            building.call(agent, start + 1, 30)
    assert found(building) == []


def test_who_still_goes_on_is_no_straggler() -> None:
    """It is stuck, if anything."""
    building = Building(status="abandoned")
    building.agent("main", 0, 100)
    for number, end in enumerate((None, 12, 14)):
        building.agent(
            f"a{number}",
            0,
            end,
            parent="main",
            Name="reader",
            LastActivity=START_NS + 100 * 10**9 if end is None else START_NS,
        )
    assert found(building) == []


def test_a_run_without_agents_has_no_straggler() -> None:
    """Nothing is said of nothing."""
    assert found(Building()) == []
