"""When a snapshot is taken."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import pytest

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.processors.run import Run
from fleetspan_collector.snapshots.moment import Moment, Trigger
from fleetspan_collector.snapshots.triggers import moments
from tests.collector_processor.processors.building import Building, ns

_OFF: Final = ProcessorSettings(
    snapshot_every_agents=0,
    snapshot_every_tokens=0,
    snapshot_context_share=0,
    snapshot_error_count=0,
)


def _found(run: Run, **settings: Any) -> list[Moment]:
    return moments(run, replace(_OFF, **settings))


def _shown(found: list[Moment]) -> list[tuple[str, str, float]]:
    return [
        (moment.trigger.value, moment.place, (moment.at_ns - ns(0)) / 1e9)
        for moment in found
    ]


def _with_agents(count: int) -> Building:
    building = Building()
    building.agent("main", 0, 1000)
    for number in range(1, count):
        building.agent(f"sub-{number:04}", number, number + 5, parent="main")
    return building


def test_every_n_agents() -> None:
    """One when the N-th agent starts, one when the 2N-th does, and none between."""
    run = _with_agents(25).run()
    assert _shown(_found(run, snapshot_every_agents=10)) == [
        ("agents", "1", 9.0),
        ("agents", "2", 19.0),
    ]
    assert _found(_with_agents(9).run(), snapshot_every_agents=10) == []


def test_every_n_new_tokens() -> None:
    """New tokens are counted at the end of their call; what a cache gave is not new."""
    building = Building()
    building.agent("main", 0, 100)
    for second in range(5):
        building.call(
            "main",
            second * 10,
            4,
            InputTokens=100,
            CacheWriteTokens=200,
            OutputTokens=100,
            CacheReadTokens=1_000_000,
        )
    found = _found(building.run(), snapshot_every_tokens=1000)
    assert _shown(found) == [("tokens", "1", 24.0), ("tokens", "2", 44.0)]
    assert found[0].reason == "1,200 new tokens have been used"
    assert found[0].agent_id == "main"


def test_a_call_that_crosses_several_thresholds_fires_once() -> None:
    """Of thresholds that one call crosses together the last is kept."""
    building = Building()
    building.agent("main", 0, 100)
    building.call("main", 0, 1, InputTokens=3500)
    building.call("main", 2, 1, InputTokens=600)
    assert _shown(_found(building.run(), snapshot_every_tokens=1000)) == [
        ("tokens", "3", 1.0),
        ("tokens", "4", 3.0),
    ]


def test_a_share_of_the_context_window() -> None:
    """When a request of an agent fills 70 % of what its model takes, once until it shrinks.

    claude-sonnet-4-5 takes 200,000 tokens by genai-prices.
    """
    building = Building()
    building.agent("main", 0, 100)
    for second, tokens in enumerate((120_000, 142_000, 144_000, 10_000, 160_000)):
        building.call(
            "main", second, 0.5, InputTokens=10_000, CacheReadTokens=tokens - 10_000
        )
    found = _found(building.run(), snapshot_context_share=0.7)
    assert _shown(found) == [
        ("context_window", "main/1", 1.0),
        ("context_window", "main/2", 4.0),
    ]
    assert found[0].reason == (
        "a request has 142,000 of the 200,000 tokens that its model takes"
    )


def test_a_model_whose_window_is_not_known_never_fires() -> None:
    """Nothing is guessed of an unknown model."""
    building = Building()
    building.agent("main", 0, 100)
    building.call("main", 0, 1, InputTokens=10**9, Model="house-model")
    assert _found(building.run(), snapshot_context_share=0.7) == []


def test_budgets() -> None:
    """One at 70 % of a budget of tokens, and one at 70 % of a budget of money."""
    building = Building()
    building.agent("main", 0, 100)
    for second in range(10):
        building.call("main", second * 10, 5, InputTokens=100, CostUsd=0.1)
    found = _found(building.run(), snapshot_budget_tokens=1000, snapshot_budget_usd=1.0)
    assert _shown(found) == [("budget_tokens", "1", 65.0), ("budget_usd", "1", 65.0)]
    assert found[0].reason == "700 of a budget of 1,000 new tokens have been used"
    assert found[1].reason == "$0.70 of a budget of $1.00 have been spent"
    assert _found(building.run(), snapshot_budget_tokens=2000) == []


def test_an_error_burst_fires_once() -> None:
    """N failures within M seconds, calls and tool calls alike; a later burst fires again."""
    building = Building()
    building.agent("main", 0, 1000)
    for second in (10, 12, 14, 16):
        building.tool("main", second, 1, Success=0)
    building.call("main", 17, 1, Error="overloaded")
    building.tool("main", 200, 1, Success=0)
    for second in (500, 501, 502):
        building.tool("main", second, 1, Success=0)
    found = _found(building.run(), snapshot_error_count=3, snapshot_error_window_s=10.0)
    assert _shown(found) == [("error_burst", "1", 15.0), ("error_burst", "2", 503.0)]
    assert found[0].reason == "3 failures within 4.0 s"


def test_before_a_risky_tool() -> None:
    """Just before each call of a tool that is named; none is named by default."""
    building = Building()
    building.agent("main", 0, 100)
    building.tool("main", 5, 1, tool="deploy", call_id="d-1")
    building.tool("main", 7, 1, tool="Read")
    found = _found(building.run(), snapshot_before_tools=("deploy",))
    assert [(each.trigger, each.place) for each in found] == [(Trigger.TOOL, "d-1")]
    assert found[0].at_ns == ns(5) - 1
    assert _found(building.run()) == []


def test_a_run_that_nobody_ended() -> None:
    """A run that is abandoned has one, of the last that was seen of it."""
    building = Building(status="abandoned", end_ns=None)
    building.agent("main", 0, None, LastActivity=ns(30))
    building.tool("main", 29, 1)
    assert _shown(_found(building.run())) == [("abandoned", "", 30.0)]
    assert _found(building.run(), snapshot_when_abandoned=False) == []


def test_the_latest_of_many() -> None:
    """Of more than the limit by one trigger the latest are looked at."""
    run = _with_agents(50).run()
    found = _found(run, snapshot_every_agents=10, snapshot_limit=2)
    assert [each.place for each in found] == ["4", "5"]


@pytest.mark.parametrize("second", [-1_790_000_000, 2_310_000_000])
def test_times_far_away(second: int) -> None:
    """Runs of 1970 and of 2100 have moments, too."""
    building = Building()
    building.agent("main", second, second + 10)
    building.call("main", second + 1, 1e12, InputTokens=5000)
    building.call("main", second + 2, -5, InputTokens=5000)
    found = _found(building.run(), snapshot_every_tokens=1000)
    assert len(found) == 2


def test_an_empty_run_has_none() -> None:
    """A run without any rows has no moment."""
    assert moments(Building().run(), ProcessorSettings()) == []
