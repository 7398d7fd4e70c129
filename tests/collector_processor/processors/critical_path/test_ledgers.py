"""Where the own time of agents went, and by how much they may end later."""

from __future__ import annotations

import pytest

from fleetspan_collector.processors.critical_path import (
    Cheaper,
    Lasts,
    Parallel,
    Removed,
    WithoutWait,
    busy_seconds,
    ledgers_of,
    slack_of,
    what_if,
)
from fleetspan_collector.processors.run import Run
from tests.collector_processor.processors.building import Building


def ledger(run: Run, agent_id: str) -> dict[str, float]:
    """Seconds of an agent by category, without those of none."""
    row = list(run.agents.strings("AgentId")).index(agent_id)
    by_category = ledgers_of(run).seconds
    return {
        str(category): float(seconds[row])
        for category, seconds in by_category.items()
        if seconds[row]
    }


def fan_out() -> Run:
    """A main agent that waits for two sub-agents, of 8 and of 4 seconds."""
    building = Building()
    building.agent("m", 0, 20)
    building.call("m", 0, 2, CostUsd=0.5)
    building.tool("m", 2, 10, call_id="s1", PermissionWaitMs=500.0)
    building.agent("a", 3, 11, parent="m", spawned_by="s1")
    building.call("a", 3.5, 7, CostUsd=1.0)
    building.tool("m", 2, 6, call_id="s2")
    building.agent("b", 3, 7, parent="m", spawned_by="s2")
    building.call("b", 3, 4, CostUsd=2.0)
    building.call("m", 12, 1, Error="429", CostUsd=0.0)
    building.call("m", 15, 5, CostUsd=0.5)
    return building.run()


def test_the_ledger_of_a_parent() -> None:
    """Its sub-agents are one sum: what they did is in their own ledgers."""
    assert ledger(fan_out(), "m") == {
        "model": 8.0,
        "permission": 0.5,
        "queue": 1.0,
        "subagent": 7.5,
        "tool": 1.0,
        "backoff": 2.0,
    }


def test_the_ledger_of_a_sub_agent() -> None:
    """It was queued until it did something; what nothing explains is a gap."""
    assert ledger(fan_out(), "a") == {"queue": 0.5, "model": 7.0, "gap": 0.5}


def test_own_seconds_of_the_path() -> None:
    """Each second of the path is of one agent at most."""
    ledgers = ledgers_of(fan_out())
    assert ledgers.wall_s.tolist() == [20.0, 8.0, 4.0]
    assert ledgers.path_s.tolist() == [11.5, 8.5, 0.0]


def test_slack_of_a_fan_out() -> None:
    """The shorter branch may end as much later as the longer one takes longer."""
    run = fan_out()
    slack = slack_of(run)
    assert slack.agents_s.tolist() == [0.0, 0.0, 4.0]
    assert slack.tools_s.tolist() == [0.0, 4.0]
    assert slack.calls_s.tolist() == [0.0, 4.0, 0.0, 0.0, 0.0]


def test_seconds_of_work() -> None:
    """Of all agents together: more than the wall time where they work side by side."""
    assert busy_seconds(fan_out()) == 20.0


def test_what_changes_save() -> None:
    """Seconds along the path, dollars of what is no longer called."""
    run = fan_out()
    assert what_if(run, Lasts(2.0, agent=1)).saved_s == 4.0
    assert what_if(run, Lasts(2.0, agent=2)).saved_s == 0.0
    gone = what_if(run, Removed(agents=(1,)))
    assert (gone.saved_s, gone.saved_usd, gone.usd) == (4.0, 1.0, 3.0)
    both = what_if(run, Removed(agents=(1, 2)))
    assert (both.saved_s, both.saved_usd, both.wall_s) == (10.0, 3.0, 10.0)
    assert what_if(run, WithoutWait(calls=(4,), tools=(0,))).saved_s == 2.5


def test_unknown_costs_are_unknown() -> None:
    """None for the sum, and for what is saved only if it is of such a call."""
    building = Building()
    building.agent("m", 0, 10)
    building.call("m", 0, 2, CostUsd=None, InputTokens=100, OutputTokens=5)
    building.call("m", 2, 2, CostUsd=0.5)
    run = building.run()
    assert what_if(run).usd is None
    assert what_if(run, Removed(calls=(1,))).saved_usd == 0.5
    assert what_if(run, Removed(calls=(0,))).saved_usd is None


def test_a_failed_request_without_tokens_costs_nothing() -> None:
    """Nobody bills it."""
    building = Building()
    building.agent("m", 0, 10)
    building.call("m", 0, 2, Error="529 overloaded")
    building.call("m", 2, 2, CostUsd=0.5)
    assert what_if(building.run()).usd == 0.5


def test_a_cheaper_model() -> None:
    """A million tokens in and a million out: 15 + 75 dollars become 1 + 5."""
    building = Building()
    building.agent("m", 0, 10)
    building.call(
        "m",
        0,
        2,
        Model="claude-opus-4-1",
        CostUsd=90.0,
        InputTokens=1_000_000,
        OutputTokens=1_000_000,
    )
    run = building.run()
    changed = what_if(run, Cheaper((0,), "claude-haiku-4-5"))
    assert changed.usd == pytest.approx(6.0)
    assert changed.saved_usd == pytest.approx(84.0)
    assert changed.saved_s == 0.0
    assert what_if(run, Cheaper((0,), "no such model")).usd is None


def one_by_one() -> Building:
    """Three sub-agents, each spawned when the one before it had ended."""
    building = Building()
    building.agent("m", 0, 40)
    building.call("m", 0, 1)
    for number, at in enumerate((1, 11, 21)):
        building.tool("m", at, 9, call_id=f"s{number}")
        name = f"a{number}"
        building.agent(name, at, at + 9, parent="m", spawned_by=f"s{number}")
    building.call("m", 31, 9)
    return building


def test_siblings_that_start_together() -> None:
    """Nothing but the waits tied them: 1 + 9 + 1 + 9 seconds are left."""
    assert what_if(one_by_one().run(), Parallel((1, 2, 3))).wall_s == 20.0


def test_siblings_with_calls_between_them() -> None:
    """The calls still follow each other when the sub-agents they waited for end."""
    building = Building()
    building.agent("m", 0, 26)
    for number, at in enumerate((0, 10)):
        building.tool("m", at, 8, call_id=f"s{number}")
        name = f"a{number}"
        building.agent(name, at, at + 8, parent="m", spawned_by=f"s{number}")
        building.call("m", at + 8, 2)
    building.call("m", 20, 6)
    assert what_if(building.run(), Parallel((1, 2))).wall_s == 18.0


def test_siblings_without_spawn_calls() -> None:
    """Sub-agents that a program starts itself."""
    building = Building()
    building.agent("m", 0, 12)
    building.agent("a", 0, 5, parent="m")
    building.agent("b", 6, 12, parent="m")
    assert what_if(building.run(), Parallel((1, 2))).wall_s == 6.0


def test_siblings_with_and_without_spawn_calls() -> None:
    """What starts each of them moves: the call where there is one."""
    building = Building()
    building.agent("m", 0, 15)
    building.agent("a", 0, 5, parent="m")
    building.tool("m", 6, 9, call_id="s")
    building.agent("b", 7, 15, parent="m", spawned_by="s")
    assert what_if(building.run(), Parallel((1, 2))).wall_s == 9.0
    assert what_if(building.run(), Parallel(())).saved_s == 0.0


def test_what_takes_no_time_at_the_end_of_its_agent() -> None:
    """It is still before that end, and saves nothing."""
    building = Building()
    building.agent("m", 0, 5)
    building.agent("a", 0, 5, parent="m")
    building.call("a", 5, 0)
    building.agent("b", 5, 5)
    run = building.run()
    assert what_if(run, Lasts(0.0, call=0)).saved_s == 0.0
    assert what_if(run, Lasts(2.0, call=0)).wall_s == 7.0
    assert slack_of(run).calls_s.tolist() == [0.0]


def test_a_background_agent_moves_with_its_spawn() -> None:
    """It ends the run: what was before its spawn call delays it, what was beside not."""
    building = Building()
    building.agent("m", 0, 10)
    building.call("m", 0, 4)
    building.tool("m", 4, 1, call_id="s")
    building.agent("a", 5, 30, parent="m", spawned_by="s")
    building.call("m", 5, 5)
    run = building.run()
    assert what_if(run, Lasts(1.0, call=0)).saved_s == 3.0
    assert what_if(run, Lasts(1.0, call=1)).saved_s == 0.0
    assert slack_of(run).calls_s.tolist() == [0.0, 20.0]


def test_an_agent_in_the_background_wakes_its_parent() -> None:
    """The parent sent two off, did nothing, and went on when each of them was done."""
    building = Building()
    building.agent("m", 0, 44)
    for number, seconds in enumerate((9, 29)):
        building.tool("m", number, 0.1, call_id=f"s{number}")
        building.agent(
            f"a{number}",
            number + 1,
            number + 1 + seconds,
            parent="m",
            spawned_by=f"s{number}",
        )
    building.call("m", 10.5, 2)
    building.call("m", 32, 12)
    run = building.run()
    assert what_if(run, Lasts(9.0, agent=2)).wall_s == 25.5
    assert what_if(run, Lasts(8.0, agent=1)).saved_s == 0.0
    assert what_if(run, Removed(agents=(2,))).wall_s == 25.5
    assert slack_of(run).agents_s.tolist() == [0.0, 18.5, 0.0]


def test_who_does_something_is_not_woken() -> None:
    """Nor who goes on long after."""
    building = Building()
    building.agent("m", 0, 40)
    building.tool("m", 0, 1, call_id="s")
    building.agent("a", 1, 20, parent="m", spawned_by="s")
    building.call("m", 19, 2)
    building.agent("b", 1, 25, parent="m", spawned_by="s")
    building.call("m", 30, 10)
    run = building.run()
    assert what_if(run, Lasts(1.0, agent=1), Lasts(1.0, agent=2)).saved_s == 0.0
    assert slack_of(run).agents_s.tolist() == [0.0, 20.0, 15.0]


def test_a_shorter_call_asks_sooner() -> None:
    """A tool call that begins half way through a model call begins half way still."""
    building = Building()
    building.agent("m", 0, 14)
    building.call("m", 0, 8)
    building.tool("m", 4, 10)
    assert what_if(building.run(), Lasts(4.0, call=0)).wall_s == 12.0
