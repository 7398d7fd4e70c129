"""What holds for every run, however odd."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings

from fleetspan_collector.processors.critical_path import (
    Category,
    Lasts,
    Removed,
    Role,
    busy_seconds,
    graph_of,
    ledgers_of,
    path_of,
    slack_of,
    timeline_of,
    what_if,
)
from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.critical_path.anything import runs
from tests.collector_processor.processors.critical_path.fork_join import (
    Worker,
    build,
    workers,
)

EXAMPLES = settings(max_examples=100, deadline=None)


@EXAMPLES
@given(runs())
def test_every_nanosecond_is_explained_once(run: Run) -> None:
    """Segments follow each other from the first start to the last end."""
    path, times = path_of(run), timeline_of(run)
    starts = [*times.agent_start, *times.call_start, *times.tool_start]
    ends = [*times.agent_end, *times.call_end, *times.tool_end]
    if not starts or max(ends) == min(starts):
        assert len(path.start_ns) == 0
        return
    assert path.start_ns[0] == min(starts)
    assert path.end_ns[-1] == max(ends)
    assert (path.start_ns[1:] == path.end_ns[:-1]).all()
    assert (path.end_ns > path.start_ns).all()


@EXAMPLES
@given(runs())
def test_the_categories_add_up(run: Run) -> None:
    """To the wall time; in the ledgers to each agent's own."""
    path, ledgers = path_of(run), ledgers_of(run)
    assert set(path.seconds) == set(Category)
    assert sum(path.seconds.values()) == pytest.approx(path.wall_s)
    assert path.wall_s == pytest.approx(graph_of(run).wall_ns / 1e9)
    total = sum(ledgers.seconds.values(), np.zeros(run.agents.count))
    assert total == pytest.approx(ledgers.wall_s)
    assert (ledgers.path_s <= path.wall_s + 1e-9).all()
    assert busy_seconds(run) >= 0


@EXAMPLES
@given(runs())
def test_segments_lie_within_what_they_are_of(run: Run) -> None:
    """A call or a tool call explains no second in which it did not go on."""
    path, times = path_of(run), timeline_of(run)
    for of, start, end in (
        (path.call, times.call_start, times.call_end),
        (path.tool, times.tool_start, times.tool_end),
    ):
        known = of >= 0
        assert (path.start_ns[known] >= start[of[known]]).all()
        assert (path.end_ns[known] <= end[of[known]]).all()


@EXAMPLES
@given(runs())
def test_nothing_changes_without_a_change(run: Run) -> None:
    """Whatever the times are."""
    assert what_if(run).saved_s == 0.0
    took = (timeline_of(run).call_end - timeline_of(run).call_start) / 1e9
    same = [Lasts(float(seconds), call=row) for row, seconds in enumerate(took)]
    assert what_if(run, *same).saved_s == pytest.approx(0.0, abs=1e-9)


@EXAMPLES
@given(runs())
def test_no_slack_is_more_than_the_run_has(run: Run) -> None:
    """And none is negative."""
    slack = slack_of(run)
    for seconds in (slack.agents_s, slack.calls_s, slack.tools_s):
        assert (seconds >= 0).all()
        assert (seconds <= path_of(run).wall_s + 1e-9).all()


@EXAMPLES
@given(runs())
def test_slack_may_be_lost(run: Run) -> None:
    """Whatever ends later by its slack, the run does not."""
    slack, times = slack_of(run), timeline_of(run)
    took = (times.call_end - times.call_start) / 1e9 + slack.calls_s
    for row, seconds in enumerate(took.tolist()):
        assert what_if(run, Lasts(seconds, call=row)).saved_s >= -1e-9
    took = (times.tool_end - times.tool_start) / 1e9 + slack.tools_s
    for row, seconds in enumerate(took.tolist()):
        assert what_if(run, Lasts(seconds, tool=row)).saved_s >= -1e-9
    took = (times.agent_end - times.agent_start) / 1e9 + slack.agents_s
    for row, seconds in enumerate(took.tolist()):
        assert what_if(run, Lasts(seconds, agent=row)).saved_s >= -1e-9


@EXAMPLES
@given(runs())
def test_off_the_path_nothing_is_to_be_gained(run: Run) -> None:
    """Where no agent is in the background, whose work may be beside the path's.

    A thing that took no time has no place on the path, but the wait before it has.
    """
    path, times = path_of(run), timeline_of(run)
    if np.isin(times.role, (Role.BACKGROUND, Role.FIRST_WAITED)).any():
        return
    for row in range(run.llm_calls.count):
        if not (path.call == row).any():
            assert what_if(run, Lasts(0, call=row)).saved_s <= 0
            if times.call_end[row] > times.call_start[row]:
                assert what_if(run, Removed(calls=(row,))).saved_s <= 0
    spawned = set(times.spawn.tolist())
    for row in np.flatnonzero(times.tool_end > times.tool_start).tolist():
        if not (path.tool == row).any() and row not in spawned:
            assert what_if(run, Removed(tools=(row,))).saved_s <= 0


@EXAMPLES
@given(workers(jobs=False))
def test_what_has_slack_may_be_removed_for_nothing(worker: Worker) -> None:
    """And what is not on the path may be removed for nothing.

    But for jobs under a limit, each of which gives its place to the next.
    """
    run, _ = build(worker)
    path, slack = path_of(run), slack_of(run)
    for row in range(run.llm_calls.count):
        if slack.calls_s[row] > 0 or not (path.call == row).any():
            assert what_if(run, Removed(calls=(row,))).saved_s == 0.0


@EXAMPLES
@given(workers())
def test_a_structure_has_no_untracked_time_but_its_waits(worker: Worker) -> None:
    """Nothing is queued that has begun, and no wait is longer than it was made."""
    run, wall_s = build(worker)
    path = path_of(run)
    assert path.wall_s == pytest.approx(wall_s)
    seconds = path.end_ns - path.start_ns
    idle = np.isin(path.category, [Category.GAP, Category.SUBAGENT, Category.BACKOFF])
    assert (seconds[idle] <= 905_000_000).all()
