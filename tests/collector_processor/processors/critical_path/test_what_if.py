"""What a change makes of a run, against the same run built with the change."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fleetspan_collector.processors.critical_path import (
    Lasts,
    Parallel,
    Removed,
    WithoutWait,
    path_of,
    slack_of,
    what_if,
)
from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.critical_path.fork_join import (
    LONG,
    Otherwise,
    Worker,
    build,
    reversed_id,
    workers,
)

EXAMPLES = settings(max_examples=50, deadline=None)


def ids(run: Run, kind: str) -> list[str]:
    """Ids of a kind of thing, by row."""
    columns, name = {
        "agent": (run.agents, "AgentId"),
        "call": (run.llm_calls, "CallId"),
        "tool": (run.tool_calls, "ToolCallId"),
    }[kind]
    return list(columns.strings(name))


def plain_tools(run: Run) -> list[int]:
    """Tool calls that spawned nobody."""
    return [row for row, agent in enumerate(run.tree.spawned.tolist()) if agent < 0]


@EXAMPLES
@given(workers())
def test_nothing_changes_without_a_change(worker: Worker) -> None:
    """Not a nanosecond."""
    run, wall_s = build(worker)
    now = what_if(run)
    assert now.wall_s == pytest.approx(wall_s, abs=1e-9)
    assert now.saved_s == 0.0
    assert now.saved_usd == 0.0
    assert now.usd == run.llm_calls.count


@EXAMPLES
@given(workers(), st.data())
def test_a_call_that_takes_another_time(worker: Worker, data: st.DataObject) -> None:
    """Shorter or longer, the run ends when it would have."""
    run, _ = build(worker)
    row = data.draw(st.integers(0, run.llm_calls.count - 1))
    ms = data.draw(LONG)
    _, wall_s = build(worker, Otherwise(lasts={ids(run, "call")[row]: ms}))
    assert what_if(run, Lasts(ms / 1000, call=row)).wall_s == pytest.approx(wall_s)


@EXAMPLES
@given(workers(), st.data())
def test_a_tool_call_that_takes_another_time(
    worker: Worker, data: st.DataObject
) -> None:
    """With whatever ran beside it."""
    run, _ = build(worker)
    rows = plain_tools(run)
    if not rows:
        return
    row = data.draw(st.sampled_from(rows))
    ms = data.draw(LONG)
    _, wall_s = build(worker, Otherwise(lasts={ids(run, "tool")[row]: ms}))
    assert what_if(run, Lasts(ms / 1000, tool=row)).wall_s == pytest.approx(wall_s)


@EXAMPLES
@given(workers(), st.data())
def test_an_agent_that_takes_another_time(worker: Worker, data: st.DataObject) -> None:
    """The call that spawned it ends with it, and all that waits for that."""
    run, _ = build(worker)
    row = data.draw(st.integers(0, run.agents.count - 1))
    ms = data.draw(st.integers(10, 50_000))
    _, wall_s = build(worker, Otherwise(lasts={ids(run, "agent")[row]: ms}))
    assert what_if(run, Lasts(ms / 1000, agent=row)).wall_s == pytest.approx(wall_s)


@EXAMPLES
@given(workers(), st.data())
def test_several_changes_at_once(worker: Worker, data: st.DataObject) -> None:
    """Any calls, each with its own time."""
    run, _ = build(worker)
    rows = data.draw(
        st.dictionaries(st.integers(0, run.llm_calls.count - 1), LONG, max_size=5)
    )
    names = ids(run, "call")
    _, wall_s = build(worker, Otherwise(lasts={names[row]: rows[row] for row in rows}))
    changes = [Lasts(ms / 1000, call=row) for row, ms in rows.items()]
    assert what_if(run, *changes).wall_s == pytest.approx(wall_s)


@EXAMPLES
@given(workers(), st.data())
def test_a_removed_tool_call(worker: Worker, data: st.DataObject) -> None:
    """It goes with the wait that led to it, and with the sub-agents that it spawned."""
    run, _ = build(worker)
    if not run.tool_calls.count:
        return
    row = data.draw(st.integers(0, run.tool_calls.count - 1))
    names = ids(run, "tool")
    _, wall_s = build(worker, Otherwise(removed={names[row]}))
    changed = what_if(run, Removed(tools=(row,)))
    below = [each for each in ids(run, "call") if each.startswith(f"{names[row]}w")]
    assert changed.wall_s == pytest.approx(wall_s)
    assert changed.saved_usd == len(below)


@EXAMPLES
@given(workers(), st.data())
def test_a_removed_call(worker: Worker, data: st.DataObject) -> None:
    """It goes with the wait that led to it; what it cost is saved."""
    run, _ = build(worker)
    row = data.draw(st.integers(0, run.llm_calls.count - 1))
    _, wall_s = build(worker, Otherwise(removed={ids(run, "call")[row]}))
    changed = what_if(run, Removed(calls=(row,)))
    assert changed.wall_s == pytest.approx(wall_s)
    assert changed.saved_usd == 1.0


@EXAMPLES
@given(workers(), st.data())
def test_no_wait_for_permission(worker: Worker, data: st.DataObject) -> None:
    """Tool calls and spawns begin their work at once."""
    run, _ = build(worker)
    if not run.tool_calls.count:
        return
    rows = data.draw(st.sets(st.integers(0, run.tool_calls.count - 1)))
    names = ids(run, "tool")
    _, wall_s = build(worker, Otherwise(no_permission={names[row] for row in rows}))
    changed = what_if(run, WithoutWait(tools=tuple(rows)))
    assert changed.wall_s == pytest.approx(wall_s)


@EXAMPLES
@given(workers(), st.data())
def test_no_wait_before_another_attempt(worker: Worker, data: st.DataObject) -> None:
    """Only calls after a failed one had such a wait."""
    run, _ = build(worker)
    rows = data.draw(st.sets(st.integers(0, run.llm_calls.count - 1)))
    names = ids(run, "call")
    _, wall_s = build(worker, Otherwise(no_backoff={names[row] for row in rows}))
    changed = what_if(run, WithoutWait(calls=tuple(rows)))
    assert changed.wall_s == pytest.approx(wall_s)


@EXAMPLES
@given(workers(), st.data())
def test_sub_agents_of_one_call_that_start_together(
    worker: Worker, data: st.DataObject
) -> None:
    """Those that ran one after another run side by side."""
    run, _ = build(worker)
    spawns = sorted({row for row in run.tree.spawn.tolist() if row >= 0})
    if not spawns:
        return
    row = data.draw(st.sampled_from(spawns))
    agents = [each for each, spawn in enumerate(run.tree.spawn) if spawn == row]
    otherwise = Otherwise(side_by_side={ids(run, "tool")[row]})
    _, wall_s = build(worker, otherwise)
    assert what_if(run, Parallel(tuple(agents))).wall_s == pytest.approx(wall_s)


@EXAMPLES
@given(workers(), st.data())
def test_the_order_of_rows_is_of_no_account(
    worker: Worker, data: st.DataObject
) -> None:
    """Ids that sort the other way round change nothing."""
    run, _ = build(worker)
    other, _ = build(worker, backwards=True)
    ours, theirs = ids(run, "call"), ids(other, "call")
    row = data.draw(st.integers(0, run.llm_calls.count - 1))
    same = theirs.index(reversed_id(ours[row]))
    assert path_of(run).seconds == path_of(other).seconds
    assert slack_of(run).calls_s[row] == slack_of(other).calls_s[same]
    assert what_if(run, Removed(calls=(row,))) == what_if(other, Removed(calls=(same,)))


@EXAMPLES
@given(workers(jobs=False), st.data())
def test_slack_is_what_may_be_lost(worker: Worker, data: st.DataObject) -> None:
    """A thing may end later by its slack; by a second more, the run ends a second later.

    But for jobs under a limit: when one is late, another takes the next place.
    """
    run, wall_s = build(worker)
    slack = slack_of(run)
    row = data.draw(st.integers(0, run.llm_calls.count - 1))
    took_s = float(run.llm_calls.floats("DurationMs")[row]) / 1000
    free_s = float(slack.calls_s[row])
    later = what_if(run, Lasts(took_s + free_s, call=row))
    latest = what_if(run, Lasts(took_s + free_s + 1, call=row))
    assert later.wall_s == pytest.approx(wall_s)
    assert latest.wall_s == pytest.approx(wall_s + 1)


@EXAMPLES
@given(workers(), st.data())
def test_slack_may_be_lost_under_a_limit(worker: Worker, data: st.DataObject) -> None:
    """Whatever else there is: by its slack a thing may end later for nothing."""
    run, wall_s = build(worker)
    row = data.draw(st.integers(0, run.llm_calls.count - 1))
    took_s = float(run.llm_calls.floats("DurationMs")[row]) / 1000
    later = what_if(run, Lasts(took_s + float(slack_of(run).calls_s[row]), call=row))
    assert later.wall_s == pytest.approx(wall_s)
