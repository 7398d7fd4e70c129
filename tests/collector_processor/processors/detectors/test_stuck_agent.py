from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.baselines import Baseline, Baselines
from fleetspan_collector.processors.detectors.stuck_agent import StuckAgent
from fleetspan_collector.processors.finding import Finding, Severity
from fleetspan_collector.processors.run import Context
from tests.collector_processor.processors.building import Building, ns

SETTINGS = ProcessorSettings(
    detect_stuck_agent_after_s=100.0, detect_stuck_agent_tool_s=1000.0
)


def found(building: Building) -> list[Finding]:
    """Return what the detector finds."""
    return list(StuckAgent(SETTINGS).findings(building.run()))


def at(seconds: float, **known: object) -> Building:
    """Return a run looked at so many seconds after its start."""
    baselines = Baselines(known=known.get("known", {}))  # type: ignore[arg-type]
    return Building(context=Context(now_ns=ns(seconds), baselines=baselines))


def test_an_agent_that_was_silent_for_longer_than_allowed_is_stuck() -> None:
    """Silence counts from the last thing that any table tells of the agent."""
    building = at(160.5)
    building.agent("main", 0, None, LastActivity=ns(0))
    building.call("main", 10, 20)
    building.tool("main", 30, 30)
    [finding] = found(building)
    assert finding.location == "agent:main"
    assert finding.agents == (0,)
    assert finding.severity is Severity.HIGH
    assert finding.at_ns == ns(60)
    assert finding.seconds == 100.5
    assert finding.usd == 0.0
    assert finding.details["how"] == "silent"
    assert finding.details["silent_s"] == 100.5


def test_an_agent_is_not_stuck_before_the_threshold() -> None:
    """A hundred seconds are allowed, and just as long is not longer."""
    building = at(160)
    building.agent("main", 0, None, LastActivity=ns(0))
    building.tool("main", 30, 30)
    assert found(building) == []


def test_an_ended_agent_is_not_stuck() -> None:
    """What has ended is silent for good."""
    building = at(100_000)
    building.agent("main", 0, 60)
    assert found(building) == []


def test_a_model_call_is_given_twice_as_long_as_the_longest_was() -> None:
    """Calls are told of when they end, so one may be under way: 2 x 80 s."""
    building = at(239)
    building.agent("main", 0, None, LastActivity=ns(0))
    building.call("main", 0, 80)
    assert found(building) == []
    building = at(241)
    building.agent("main", 0, None, LastActivity=ns(0))
    building.call("main", 0, 80)
    [finding] = found(building)
    assert finding.details["allowed_s"] == 160.0


def test_an_open_tool_call_counts_as_work_for_long_where_nothing_is_known() -> None:
    """1,000 s for a tool that nobody has seen end."""
    for now, stuck in ((1009.0, 0), (1011.0, 1)):
        building = at(now)
        building.agent("main", 0, None)
        building.tool("main", 10, None, tool="Deploy")
        assert len(found(building)) == stuck


def test_an_open_tool_call_counts_as_work_for_twice_its_usual_time() -> None:
    """Three ended calls of at most 150 s tell what is usual."""
    building = at(2000)
    building.agent("main", 0, None)
    for number, seconds in enumerate((20, 150, 40)):
        building.tool("main", 200 * number, seconds, tool="Deploy")
    building.tool("main", 1699, None, tool="Deploy", call_id="open")
    [finding] = found(building)
    assert finding.details["how"] == "in a tool call"
    assert finding.details["tool"] == "Deploy"
    assert finding.details["allowed_s"] == 300.0
    assert finding.tools == (3,)


def test_history_tells_what_is_usual_for_an_open_tool_call() -> None:
    """Twice the 99th percentile of the tool's history, 60 s, is below the least."""
    history = Baseline(samples=100, runs=20, p50=5.0, p90=20.0, p95=40.0, p99=60.0)
    building = at(131, known={("tool", "Deploy", "seconds"): history})
    building.agent("main", 0, None)
    building.tool("main", 10, None, tool="Deploy")
    [finding] = found(building)
    assert finding.details["allowed_s"] == 120.0


def test_who_waits_for_a_sub_agent_is_not_stuck() -> None:
    """Of a chain of waiting agents the last is named, and the others wait for it."""
    building = at(5_000)
    building.agent("main", 0, None)
    building.tool("main", 1, None, tool="Task", call_id="t1")
    building.agent("middle", 2, None, parent="main", spawned_by="t1")
    building.tool("middle", 3, None, tool="Task", call_id="t2")
    building.agent("last", 4, None, parent="middle", spawned_by="t2")
    [finding] = found(building)
    assert finding.location == "agent:last"
    assert finding.seconds == 4_996.0


def test_waiting_for_permission_is_said() -> None:
    """It is a person's turn, so it matters less than a dead process."""
    building = at(200)
    building.agent("main", 0, None)
    building.tool("main", 10, None, tool="Bash", PermissionWaitMs=1000.0)
    [finding] = found(building)
    assert finding.details["how"] == "waits for permission"
    assert finding.severity is Severity.MEDIUM
    assert "waits for permission in Bash" in finding.what


def test_an_agent_that_was_left_is_found_in_a_settled_run() -> None:
    """Both are named, whoever was left first; nothing is known of what it cost."""
    building = Building(context=Context(now_ns=ns(100_000)), status="abandoned")
    building.agent("main", 0, 70)
    building.agent(
        "lost", 5, None, parent="main", Status="abandoned", LastActivity=ns(10)
    )
    building.agent("late", 20, None, parent="main", Status="abandoned")
    building.tool("late", 60, 30)
    findings = found(building)
    assert [each.location for each in findings] == ["agent:lost", "agent:late"]
    assert [each.details["how"] for each in findings] == ["left", "left"]
    assert [each.seconds for each in findings] == [0.0, 0.0]


def test_who_goes_on_in_a_run_that_was_left_was_left() -> None:
    """However long ago that was: the answer stays the same."""
    for now in (1_000.0, 100_000.0):
        building = Building(context=Context(now_ns=ns(now)), status="abandoned")
        building.agent("main", 0, None, LastActivity=ns(70))
        [finding] = found(building)
        assert finding.details["how"] == "left"
        assert finding.seconds == 0.0
        assert finding.what == "Agent main was left before it had ended."


def test_others_at_work_mean_that_the_run_is_not_held_up() -> None:
    """Only the time in which nobody else did anything is lost."""
    building = at(300)
    building.agent("main", 0, None)
    building.agent("helper", 0, 250, parent="main")
    building.agent("stuck", 0, None, parent="main", LastActivity=ns(20))
    [finding] = found(building)
    assert finding.location == "agent:stuck"
    assert finding.details["silent_s"] == 280.0
    assert finding.seconds == 50.0


def test_times_from_the_future_are_no_sign_of_life() -> None:
    """A clock that is years ahead does not keep an agent alive."""
    building = at(500)
    building.agent("main", 0, None, LastActivity=ns(0))
    building.call("main", 4e9, 1)
    [finding] = found(building)
    assert finding.details["silent_s"] == 500.0


def test_a_run_without_agents_has_none_that_are_stuck() -> None:
    """Nothing is said of nothing."""
    assert found(Building()) == []
