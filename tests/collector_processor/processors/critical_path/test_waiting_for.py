"""What waits for what without saying so: known answers."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_collector.processors.critical_path import (
    Category,
    Lasts,
    Parallel,
    Removed,
    ledgers_of,
    path_of,
    slack_of,
    timeline_of,
    what_if,
)
from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.building import Building
from tests.collector_processor.processors.critical_path.test_path import segments

LAUNCH_S = 0.1


def helped(*, wait: tuple[float, float] = (20, 30.1), **given: str) -> Building:
    """A helper in the background from 1 to 30, and a tool call of its parent."""
    building = Building()
    building.agent("m", 0, max(40, wait[1]))
    building.call("m", 0, 1)
    building.tool("m", 1, LAUNCH_S, tool="Task", call_id="launch")
    building.agent("h", 1, 30, parent="m", spawned_by="launch")
    building.call("h", 1, 24, call_id="think")
    building.tool("h", 25, 5, call_id="work")
    building.call("m", 2, wait[0] - 2)
    building.tool(
        "m",
        wait[0],
        wait[1] - wait[0],
        **{"tool": "TaskOutput", "call_id": "w"} | given,
    )
    building.call("m", wait[1], 40 - wait[1] if wait[1] < 40 else 0)
    return building


def test_a_wait_for_a_helper_is_the_helpers_time() -> None:
    """The path descends into it; only the rest of the call is the tool's."""
    assert segments(helped().run())[-4:] == [
        (20, 25, "model", "h", "think"),
        (25, 30, "tool", "h", "work"),
        (30, 30.1, "tool", "m", "w"),
        (30.1, 40, "model", "m", "call-4"),
    ]


def test_a_wait_for_a_helper_in_the_ledger() -> None:
    """For the agent that waited it is a sub-agent's time."""
    seconds = ledgers_of(helped().run()).seconds
    parent = list(helped().run().agents.strings("AgentId")).index("m")
    assert seconds[Category.SUBAGENT][parent] == 10
    # 0.1 s that the launch took, and 0.1 s after the helper's end.
    assert seconds[Category.TOOL][parent] == pytest.approx(0.2)


def test_a_shorter_helper_shortens_the_wait() -> None:
    """By no more than it was waited for."""
    run = helped().run()
    helper = list(run.agents.strings("AgentId")).index("h")
    assert what_if(run, Lasts(26, agent=helper)).saved_s == 3
    assert what_if(run, Lasts(1, agent=helper)).saved_s == 10
    assert what_if(run, Removed(agents=(helper,))).saved_s == pytest.approx(10.1)
    assert slack_of(run).agents_s[helper] == 0


@pytest.mark.parametrize(
    "wait",
    [
        # Ends a second after the helper, a tenth of its own time.
        pytest.param((20, 31), id="late"),
        # Began after the helper had ended.
        pytest.param((30.01, 33), id="after"),
        # Ends before the helper.
        pytest.param((20, 29.99), id="before"),
        # Less than a second is no wait that anybody can tell from chance.
        pytest.param((29.5, 30.01), id="short"),
    ],
)
def test_what_does_not_end_with_a_helper_does_not_wait(
    wait: tuple[float, float],
) -> None:
    """Its time is its own."""
    run = helped(wait=wait).run()
    helper = list(run.agents.strings("AgentId")).index("h")
    assert what_if(run, Lasts(2, agent=helper)).saved_s == 0


def test_a_tool_with_work_of_its_own_does_not_wait() -> None:
    """Where another call of it takes a second without an agent that ends with it."""
    building = helped(tool="Bash")
    building.tool("m", 33, 1.5, tool="Bash")
    run = building.run()
    helper = list(run.agents.strings("AgentId")).index("h")
    assert what_if(run, Lasts(2, agent=helper)).saved_s == 0


def test_an_agent_that_thinks_meanwhile_does_not_wait() -> None:
    """A model call that begins while the tool call goes on."""
    building = helped()
    building.call("m", 22, 3)
    run = building.run()
    helper = list(run.agents.strings("AgentId")).index("h")
    assert what_if(run, Lasts(2, agent=helper)).saved_s == 0


def test_one_wait_for_several_helpers() -> None:
    """The last of them decides; and then the one before."""
    building = helped()
    building.tool("m", 1.2, LAUNCH_S, tool="Task", call_id="other")
    building.agent("i", 1.2, 27, parent="m", spawned_by="other")
    run = building.run()
    helper = list(run.agents.strings("AgentId")).index("h")
    assert what_if(run, Lasts(2, agent=helper)).saved_s == 3


def pooled(
    lasting: list[float], at_once: int, *, lag_s: float = 0.1, apart_s: float = 0.1
) -> Building:
    """Jobs of which so many are at work at a time, and an answer of a second."""
    building = Building()
    starts: list[float] = []
    ends: list[float] = []
    for number, seconds in enumerate(lasting):
        if number < at_once:
            at = 1 + apart_s * number
        else:
            at = max(sorted(ends)[number - at_once], starts[-1]) + lag_s
        starts.append(at)
        ends.append(at + seconds)
        job = f"j{number:02}"
        building.tool("m", at, seconds, tool="Task", call_id=f"t{job}")
        building.agent(job, at, at + seconds, parent="m", spawned_by=f"t{job}")
    building.call("m", 0, 1)
    building.call("m", max(ends), 1)
    building.agent("m", 0, max(ends) + 1)
    return building


LASTING = [10.0, 14.0, 11.0, 13.0, 12.0, 15.0, 9.0, 16.0]


def job(run: Run, number: int) -> int:
    """The row of a job."""
    return list(run.agents.strings("AgentId")).index(f"j{number:02}")


def test_an_earlier_end_lets_the_next_begin_earlier() -> None:
    """Any job, also one that nothing on the path follows."""
    run = pooled(LASTING, 2).run()
    for number, lasts in itertools.product(range(8), (1.0, 5.0, 20.0)):
        otherwise = [*LASTING[:number], lasts, *LASTING[number + 1 :]]
        wall_s = path_of(pooled(otherwise, 2).run()).wall_s
        changed = what_if(run, Lasts(lasts, agent=job(run, number)))
        assert changed.wall_s == pytest.approx(wall_s)


def test_a_straggler_that_is_none_frees_its_place_early() -> None:
    """Also for jobs that had begun before it ended."""
    run = pooled([90.0, *LASTING], 2).run()
    changed = what_if(run, Lasts(10, agent=job(run, 0)))
    assert changed.wall_s == pytest.approx(
        path_of(pooled([10.0, *LASTING], 2).run()).wall_s
    )


def test_a_removed_job_leaves_its_place_to_others() -> None:
    """The others begin in their order."""
    run = pooled(LASTING, 2).run()
    changed = what_if(run, Removed(agents=(job(run, 4),)))
    otherwise = [*LASTING[:4], *LASTING[5:]]
    assert changed.wall_s == pytest.approx(path_of(pooled(otherwise, 2).run()).wall_s)


def test_without_a_limit_all_jobs_start_together() -> None:
    """`Parallel` is just that."""
    run = pooled(LASTING, 2).run()
    changed = what_if(run, Parallel(tuple(job(run, number) for number in range(8))))
    assert changed.wall_s == pytest.approx(1 + max(LASTING) + 1)


def test_one_after_another_is_no_limit() -> None:
    """Each waits for the one before: what follows a shorter one moves as it always did."""
    run = pooled(LASTING, 1).run()
    assert what_if(run, Lasts(1, agent=job(run, 3))).saved_s == pytest.approx(12)


def test_twice_is_no_limit() -> None:
    """Two jobs that began after others had ended may have done so by chance."""
    run = pooled([10.0, 30.0, 25.0, 30.0], 2).run()
    # Were there a limit, the last would begin at 27.2 s, when the third one ended.
    assert what_if(run, Lasts(1, agent=job(run, 0))).saved_s == 0


def test_a_steady_pace_is_no_limit() -> None:
    """Jobs that begin every two seconds do so whatever ends."""
    building = Building()
    for number in range(12):
        at, name = 1 + 2 * number, f"j{number:02}"
        building.tool("m", at, 7.8, tool="Task", call_id=f"t{name}")
        building.agent(name, at, at + 7.8, parent="m", spawned_by=f"t{name}")
    building.agent("m", 0, 32)
    run = building.run()
    shorter = what_if(run, *(Lasts(1, agent=job(run, each)) for each in range(3)))
    assert shorter.saved_s <= 6.8


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans()),
        min_size=5,
        max_size=16,
    )
)
def test_whatever_the_jobs_nothing_moves_without_a_change(
    jobs: list[tuple[int, int, bool]],
) -> None:
    """Siblings of any times, with and without a spawn call: not by a nanosecond."""
    building = Building()
    building.agent("m", 0, 130)
    for number, (start, lasts, called) in enumerate(jobs):
        spawn = f"t{number}" if called else None
        if spawn:
            building.tool("m", start, lasts, tool="Task", call_id=spawn)
        building.agent(f"j{number}", start, start + lasts, parent="m", spawned_by=spawn)
        building.call(f"j{number}", start, lasts / 2)
    run = building.run()
    times, slack = timeline_of(run), slack_of(run)
    took = (times.call_end - times.call_start) / 1e9
    same = [Lasts(float(seconds), call=row) for row, seconds in enumerate(took)]
    assert what_if(run, *same).saved_s == pytest.approx(0, abs=1e-9)
    for row, seconds in enumerate((took + slack.calls_s).tolist()):
        assert what_if(run, Lasts(seconds, call=row)).saved_s >= -1e-9
