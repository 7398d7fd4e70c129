import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.detectors.serialised_subagents import (
    SerialisedSubagents,
)
from fleetspan_collector.processors.finding import Finding
from tests.collector_processor.processors.building import Building

SETTINGS = ProcessorSettings(
    detect_serialised_subagents_count=3, detect_serialised_subagents_seconds=20.0
)


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(SerialisedSubagents(SETTINGS).findings(building.run()))


def series(
    *names: str, thinks: bool, works: bool = False, each: float = 30.0
) -> Building:
    """Return a main agent that runs sub-agents of 30 s one after another.

    Args:
        names: Of the sub-agents.
        thinks: Whether its model is asked between them, for 5 s.
        works: Whether it runs a tool of its own between them.
        each: Seconds that a sub-agent takes.
    """
    building = Building()
    here = 0.0
    building.call("main", here, 5)
    here += 5
    for number, name in enumerate(names):
        spawn = building.tool("main", here, each, tool="Task", call_id=f"t{number}")
        agent = building.agent(
            f"a{number}", here, here + each, parent="main", spawned_by=spawn, Name=name
        )
        building.call(agent, here, each)
        here += each
        if thinks:
            building.call("main", here, 5)
            here += 5
        if works:
            building.tool("main", here, 1, tool="Read")
            here += 1
    building.call("main", here, 5)
    building.agent("main", 0, here + 5)
    return building


def test_those_of_one_message_could_have_run_together() -> None:
    """Three of 30 s one after another: 60 s are lost, whatever their kinds."""
    [finding] = found(series("search", "list", "measure", thinks=False))
    assert finding.location == "agent:a0"
    assert finding.agents == (1, 2, 3)
    assert finding.tools == (0, 1, 2)
    assert finding.seconds == pytest.approx(60, abs=1)
    assert finding.usd == 0.0
    assert finding.details == {"subagents": 3, "parent": "main"}


def test_two_are_too_few() -> None:
    """Three make a series."""
    assert found(series("search", "list", thinks=False)) == []


def test_those_of_one_kind_with_a_thought_between_could_have_run_together() -> None:
    """The parent only started the next one each time."""
    [finding] = found(series("review-1", "review-2", "review-3", thinks=True))
    assert finding.details["subagents"] == 3
    assert finding.seconds is not None
    assert finding.seconds >= 55


def test_phases_of_different_kinds_feed_each_other() -> None:
    """The parent read the plan before it had it built."""
    assert found(series("planner", "builder", "reviewer", thinks=True)) == []


def test_work_of_the_parent_between_them_ties_them() -> None:
    """It read something between them: the next task may come from that."""
    building = series("fix-1", "fix-2", "fix-3", thinks=True, works=True)
    assert found(building) == []


def test_a_file_that_one_wrote_and_the_next_read_ties_them() -> None:
    """The third needs what the second wrote; so two and one are left."""
    building = series("step-1", "step-2", "step-3", thinks=False)
    building.file("a1", "/srv/plan.md", "create")
    building.file("a2", "/srv/plan.md", "read")
    assert found(building) == []


def test_files_that_both_only_read_tie_nothing() -> None:
    """Readers do not need each other."""
    building = series("step-1", "step-2", "step-3", thinks=False)
    building.file("a1", "/srv/plan.md", "read")
    building.file("a2", "/srv/plan.md", "read")
    assert len(found(building)) == 1


def test_a_program_that_starts_different_agents_tells_nothing_of_why() -> None:
    """Without any model call of the parent, only one kind says that nothing ties them."""
    for names, count in ((("plan", "build", "check"), 0), (("job", "job", "job"), 1)):
        building = Building()
        building.agent("main", 0, 90)
        for number, name in enumerate(names):
            agent = building.agent(
                f"a{number}", 30 * number, 30 * number + 30, parent="main", Name=name
            )
            building.call(agent, 30 * number, 30)
        assert len(found(building)) == count


def test_siblings_that_overlap_are_no_series() -> None:
    """Each begins halfway through the one before."""
    building = Building()
    building.agent("main", 0, 75)
    building.call("main", 0, 1)
    for number in range(4):
        start = 1 + 15 * number
        spawn = building.tool("main", start, 30, tool="Task", call_id=f"t{number}")
        building.agent(
            f"job-{number}", start, start + 30, parent="main", spawned_by=spawn
        )
    assert found(building) == []


def test_one_long_sibling_overlaps_all_that_follow() -> None:
    """It works beside them, so they are no row."""
    building = Building()
    building.agent("main", 0, 130)
    building.call("main", 0, 1)
    for number, (start, end) in enumerate(((1, 121), (2, 32), (32, 62), (62, 92))):
        spawn = building.tool("main", start, end - start, call_id=f"t{number}")
        building.agent(f"job-{number}", start, end, parent="main", spawned_by=spawn)
    assert found(building) == []


def test_short_ones_are_not_worth_a_finding() -> None:
    """Three of 5 s lose 10 s."""
    assert found(series("job", "job", "job", thinks=False, each=5)) == []


def test_a_run_without_agents_has_no_series() -> None:
    """Nothing is said of nothing."""
    assert found(Building()) == []
