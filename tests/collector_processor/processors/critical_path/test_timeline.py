"""When things began and ended, where the telemetry cannot be right."""

from __future__ import annotations

from typing import Any

import pytest

from fleetspan_collector.processors.critical_path import (
    Repair,
    Role,
    path_of,
    timeline_of,
)
from fleetspan_collector.processors.run import Context, Run
from tests.collector_processor.processors.building import START_NS, Building, ns

YEAR_S = 365.25 * 86_400
IN_1970 = -START_NS / 1e9
IN_2100 = IN_1970 + 130 * YEAR_S


def spans(run: Run) -> dict[str, tuple[float, float]]:
    """Start and end of each thing by its id, seconds from the start."""
    times = timeline_of(run)
    tables = (
        (run.agents.strings("AgentId"), times.agent_start, times.agent_end),
        (run.llm_calls.strings("CallId"), times.call_start, times.call_end),
        (run.tool_calls.strings("ToolCallId"), times.tool_start, times.tool_end),
    )
    return {
        name: ((start - START_NS) / 1e9, (end - START_NS) / 1e9)
        for names, starts, ends in tables
        for name, start, end in zip(names, starts.tolist(), ends.tolist(), strict=True)
    }


def main(end: float | None = 20, now: float = 30, **facts: Any) -> Building:
    """A run with a main agent from 0 to its end, looked at later."""
    building = Building(context=Context(now_ns=ns(now)), **facts)
    building.agent("m", 0, end, LastActivity=ns(end or 0))
    return building


def test_what_is_right_stays() -> None:
    """And is not told."""
    building = main()
    building.call("m", 1, 2, call_id="c")
    assert spans(building.run()) == {"m": (0, 20), "c": (1, 3)}
    assert timeline_of(building.run()).repairs == ()


def test_a_call_without_end_lasted_until_the_next_step() -> None:
    """Its agent cannot have gone on before."""
    building = main()
    building.call("m", 1, None, call_id="c")
    building.tool("m", 6, 2, call_id="t")
    assert spans(building.run())["c"] == (1, 6)
    assert timeline_of(building.run()).repairs == (
        Repair(kind="missing_end", calls=(0,)),
    )


def test_a_tool_call_without_end_lasted_until_the_next_call() -> None:
    """Other tool calls may have run beside it."""
    building = main()
    building.call("m", 0, 1)
    building.tool("m", 1, None, call_id="t1")
    building.tool("m", 1.5, 2, call_id="t2")
    building.call("m", 9, 1)
    assert spans(building.run())["t1"] == (1, 9)


def test_a_last_step_without_end_lasted_as_long_as_its_agent() -> None:
    """And a step of nobody until the last that was seen of the run."""
    building = main()
    building.tool("m", 6, None, call_id="t1")
    building.tool("", 7, None, call_id="t2")
    assert spans(building.run())["t1"] == (6, 20)
    assert spans(building.run())["t2"] == (7, 20)


def test_in_an_open_run_things_go_on_now() -> None:
    """Agents that run, and what they have not ended."""
    building = main(end=None)
    building.call("m", 0, 2, call_id="c")
    building.tool("m", 2, None, call_id="t")
    assert spans(building.run()) == {"m": (0, 30), "c": (0, 2), "t": (2, 30)}
    assert path_of(building.run()).wall_s == 30.0


def test_an_agent_without_end_ended_with_the_last_seen_of_it() -> None:
    """In a run that is over: its last activity, or the last that it did."""
    building = main()
    building.agent("a", 1, None, parent="m", Status="abandoned", LastActivity=ns(9))
    building.agent("b", 1, None, parent="m", Status="abandoned", LastActivity=ns(1))
    building.call("b", 2, 5)
    run = building.run()
    assert run.facts.status == "ok"
    assert spans(run)["a"] == (1, 9)
    assert spans(run)["b"] == (1, 7)


def test_a_run_that_was_killed_while_it_waited() -> None:
    """Nobody saw the main agent end, nor its spawn call: both were there for the others."""
    building = Building(context=Context(now_ns=ns(60)), status="abandoned")
    building.agent("m", 0, None, Status="abandoned", LastActivity=ns(3))
    building.tool("m", 2, None, call_id="s")
    building.agent(
        "a",
        4,
        None,
        parent="m",
        spawned_by="s",
        Status="abandoned",
        LastActivity=ns(4),
    )
    building.tool("a", 5, 4)
    run = building.run()
    assert spans(run)["a"] == (4, 9)
    assert spans(run)["s"] == (2, 9)
    assert spans(run)["m"] == (0, 9)
    assert timeline_of(run).role.tolist() == [Role.ROOT, Role.CALL_WAITS]


def test_an_end_before_the_start() -> None:
    """It ended when it began."""
    building = main()
    building.call("m", 5, -3, call_id="c")
    building.agent("a", 7, 2, parent="m", LastActivity=ns(7))
    assert spans(building.run())["c"] == (5, 5)
    assert spans(building.run())["a"] == (7, 7)
    assert timeline_of(building.run()).repairs == (
        Repair(kind="end_before_start", agents=(1,), calls=(0,)),
    )


@pytest.mark.parametrize("now", [30.0, 0.0, IN_2100])
def test_times_of_another_century(now: float) -> None:
    """They take no time, with their agent's start, and do not make the run longer."""
    building = main(now=now)
    building.call("m", 1, 2, call_id="c")
    building.call("m", IN_1970, 2, call_id="early")
    building.tool("m", IN_2100, 2, call_id="late")
    run = building.run()
    assert path_of(run).wall_s == 20.0
    assert spans(run)["early"] == (0, 0)
    assert spans(run)["late"] == (0, 0)
    assert timeline_of(run).repairs == (
        Repair(kind="outside_time", calls=(0,), tools=(0,)),
    )


def test_an_end_in_another_century() -> None:
    """It ended as if nobody had seen it end; it is told once."""
    building = main()
    building.tool("m", 3, IN_2100, call_id="t")
    building.call("m", 8, 1)
    assert spans(building.run())["t"] == (3, 8)
    assert timeline_of(building.run()).repairs == (
        Repair(kind="outside_time", tools=(0,)),
    )


def test_an_agent_that_began_in_1970() -> None:
    """It began with the first that it did."""
    building = main()
    building.agent("a", IN_1970, 12, parent="m")
    building.call("a", 4, 6)
    assert spans(building.run())["a"] == (4, 12)


def test_a_whole_run_of_1970() -> None:
    """A machine without a clock: its times agree with each other."""
    building = Building(start_ns=10**9)
    building.agent("m", 0, 10)
    building.call("m", 1, 4)
    assert path_of(building.run()).wall_s == 10.0
    assert timeline_of(building.run()).repairs == ()


def test_a_session_that_is_picked_up_again() -> None:
    """Days later it is still the same run; nothing is set aside."""
    building = main(end=5 * 86_400.0 + 60, now=6 * 86_400.0)
    building.call("m", 1, 2)
    building.call("m", 5 * 86_400.0, 3)
    assert timeline_of(building.run()).repairs == ()
    assert path_of(building.run()).wall_s == 5 * 86_400 + 60


def test_a_clock_that_is_wrong() -> None:
    """A sub-agent an hour before the call that spawned it: shifted into its middle."""
    building = main()
    building.tool("m", 2, 10, call_id="s")
    building.agent("a", -3600, -3594, parent="m", spawned_by="s")
    building.call("a", -3599, 4, call_id="c")
    run = building.run()
    assert spans(run)["a"] == (4, 10)
    assert spans(run)["c"] == (5, 9)
    assert timeline_of(run).repairs == (Repair(kind="clock_skew", agents=(0,)),)
    assert path_of(run).wall_s == 20.0


def test_all_below_a_wrong_clock_is_shifted() -> None:
    """The sub-agents of a shifted agent go with it, and are not shifted again."""
    building = main()
    building.tool("m", 2, 10, call_id="s")
    building.agent("a", -100, -90, parent="m", spawned_by="s")
    building.tool("a", -99, 8, call_id="s2")
    building.agent("b", -98, -92, parent="a", spawned_by="s2")
    run = building.run()
    assert spans(run)["a"] == (2, 12)
    assert spans(run)["b"] == (4, 10)
    assert timeline_of(run).repairs == (Repair(kind="clock_skew", agents=(0,)),)


def test_a_moment_stamped_twice_is_no_skew() -> None:
    """A few milliseconds before its spawn call: it began with it, and nobody is told."""
    building = main()
    building.tool("m", 2, 10, call_id="s")
    building.agent("a", 1.99, 9, parent="m", spawned_by="s")
    assert spans(building.run())["a"] == (2, 9.01)
    assert timeline_of(building.run()).repairs == ()


def test_who_waits_for_whom() -> None:
    """Told by the times of the spawn call, and of the parent."""
    building = main()
    building.tool("m", 1, 5, call_id="waits")
    building.agent("within", 1, 6, parent="m", spawned_by="waits")
    building.tool("m", 6, 0.1, call_id="sends")
    building.agent("longer", 6, 18, parent="m", spawned_by="sends")
    building.tool("m", 7, 3, call_id="first")
    building.agent("twice", 7, 15, parent="m", spawned_by="first", Activations=2)
    building.call("twice", 7, 2)
    building.call("twice", 14, 1)
    building.agent("nested", 10, 12, parent="m")
    building.agent("outliving", 11, 40, parent="m")
    building.agent("orphan", 3, 4, parent="never came")
    run = building.run()
    role = dict(zip(run.agents.strings("AgentId"), timeline_of(run).role, strict=True))
    assert role == {
        "m": Role.ROOT,
        "within": Role.CALL_WAITS,
        "longer": Role.BACKGROUND,
        "twice": Role.FIRST_WAITED,
        "nested": Role.PARENT_WAITS,
        "outliving": Role.BACKGROUND,
        "orphan": Role.ROOT,
    }


def test_a_sub_agent_that_ends_a_little_late() -> None:
    """The call waited for it all the same; both ended with the call."""
    building = main()
    building.tool("m", 1, 10, call_id="s")
    building.agent("a", 1, 11.2, parent="m", spawned_by="s")
    building.call("a", 2, 9.2, call_id="c")
    building.call("m", 11.1, 2)
    run = building.run()
    assert spans(run)["a"] == (1, 11)
    assert spans(run)["c"] == (2, 11)
    assert timeline_of(run).role.tolist() == [Role.ROOT, Role.CALL_WAITS]


def test_a_sub_agent_that_had_done_all() -> None:
    """Its client took seconds to tell that it stopped; the call did not wait for that."""
    building = main()
    building.tool("m", 1, 6, call_id="s1")
    building.agent("a", 1, 9, parent="m", spawned_by="s1")
    building.call("a", 2, 4)
    building.tool("m", 7, 4, call_id="s2")
    building.agent("b", 7, 14, parent="m", spawned_by="s2")
    building.call("b", 8, 2)
    run = building.run()
    assert spans(run)["a"] == (1, 7)
    assert spans(run)["b"] == (7, 14)
    assert timeline_of(run).role.tolist() == [
        Role.ROOT,
        Role.CALL_WAITS,
        Role.BACKGROUND,
    ]


def test_an_agent_is_there_while_it_does_something() -> None:
    """Its own calls widen its time."""
    building = main()
    building.agent("a", 5, 8, parent="m")
    building.call("a", 4, 6)
    assert spans(building.run())["a"] == (4, 10)


@pytest.mark.parametrize("ms", [1e300, -1e300])
def test_durations_that_no_clock_can_tell(ms: float) -> None:
    """They do not overflow."""
    building = main()
    building.call("m", 1, 1, DurationMs=ms)
    assert path_of(building.run()).wall_s == 20.0


def test_a_run_of_nothing() -> None:
    """Has no times."""
    assert spans(Building().run()) == {}
