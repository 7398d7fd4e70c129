"""The real client asks a real collector what it may do; the provider is scripted."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.collector_processor.claude_code.live.playing import missing, play

pytestmark = [
    pytest.mark.claude_code,
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]


def test_an_endless_loop_is_stopped_by_its_third_repeat(tmp_path: Path) -> None:
    """The call is made twice, and from then on answered with the reason."""
    told = play("loop", tmp_path / "run").document
    ran = [words for failed, words in told["told"] if not failed]
    stopped = [words for failed, words in told["told"] if failed]
    assert len(ran) == 2
    assert len(stopped) == 6
    assert all("the answer was the same each time" in words for words in stopped)
    assert told["hooks"]["PostToolUse"] == 2
    assert told["client"]["results"][-1]["result"] == "LOOP DONE."
    (finding,) = told["findings"]
    assert "6 times" in finding["What"]
    assert len(finding["ToolCallIds"]) == 8


def test_a_fan_out_is_stopped_at_its_limit(tmp_path: Path) -> None:
    """Of five sub-agents that are begun at once two are let work."""
    told = play("fan", tmp_path / "run").document
    stopped = [words for failed, words in told["told"] if failed]
    assert len(stopped) == 3
    assert all("No further sub-agent" in words for words in stopped)
    assert told["hooks"]["SubagentStart"] == 2
    assert told["client"]["code"] == 0


@pytest.mark.parametrize(("budget", "allowed"), [("calls", 2), ("usd", 0)])
def test_a_spent_budget_stops_the_next_call(
    tmp_path: Path, budget: str, allowed: int
) -> None:
    """Of calls the third; of money the first, since its model call is paid already."""
    told = play(f"spent_{budget}", tmp_path / "run").document
    ran = [words for failed, words in told["told"] if not failed]
    stopped = [words for failed, words in told["told"] if failed]
    assert len(ran) == allowed
    assert len(stopped) == 6 - allowed
    assert all("Stopped by the budget 'one session'" in words for words in stopped)


def test_without_a_collector_it_goes_on_when_that_is_laid_down(tmp_path: Path) -> None:
    """Nothing is stopped, and the client complains of nothing."""
    told = play("dead_allow", tmp_path / "run").document
    assert [failed for failed, _ in told["told"]] == [False] * 6
    assert told["client"]["results"][-1]["result"] == "WORK DONE."


def test_without_a_collector_it_stops_when_that_is_laid_down(tmp_path: Path) -> None:
    """Not even the prompt reaches the model."""
    told = play("dead_deny", tmp_path / "run").document
    assert told["answers"] == 0
    assert told["told"] == []


def test_a_long_output_is_made_shorter_and_read_back(tmp_path: Path) -> None:
    """The model gets both ends and the error; the whole lies where the agent may read."""
    told = play("shortened_on", tmp_path / "run").document
    (_, short), (failed, whole) = told["told"]
    assert len(short) < 5_000
    for kept in ("line 1\n", "line 2000", "ERROR: disk /dev/sdb1 is full", "Read /"):
        assert kept in short
    assert "line 500\n" not in short
    assert not failed, whole
    assert all(f"\tline {number}\n" in f"{whole}\n" for number in range(1, 2001))
    (event,) = (each["LogAttributes"] for each in told["events"])
    assert event["fleetspan.context.applied"] == "true"
    assert int(event["fleetspan.context.kept"]) < 5_000
    assert told["client"]["results"][-1]["result"] == "LONG DONE."


def test_a_long_answer_of_an_mcp_server_is_made_shorter(tmp_path: Path) -> None:
    """It is JSON still, and the whole of it is there."""
    told = play("shortened_mcp", tmp_path / "run").document
    (_, short), (failed, whole) = told["told"]
    assert 'order 0"' in short
    assert "Read /" in short
    assert len(short) < 5_000
    assert not failed, whole
    assert "order 799" in whole
    (event,) = (each["LogAttributes"] for each in told["events"])
    assert event["gen_ai.tool.name"] == "mcp__shop__orders"
    assert event["fleetspan.context.shapes"] == '["json"]'
    assert told["client"]["results"][-1]["result"] == "ORDERS DONE."


def test_in_a_dry_run_a_long_output_stays_as_it_is(tmp_path: Path) -> None:
    """It is recorded what would have been kept back."""
    told = play("shortened_dry", tmp_path / "run").document
    assert "line 500\n" in told["told"][0][1]
    (event,) = (each["LogAttributes"] for each in told["events"])
    assert event["fleetspan.context.applied"] == "false"
    assert int(event["fleetspan.context.characters"]) > 18_000
    assert "fleetspan.context.refs" not in event


@pytest.mark.parametrize("mode", ["on", "dry"])
def test_the_model_of_a_sub_agent_is_chosen(tmp_path: Path, mode: str) -> None:
    """What the tiers say is what it runs on, and recorded; in a dry run only recorded."""
    told = play(f"routed_{mode}", tmp_path / "run").document
    assert told["models"]
    assert all(("haiku" in model) is (mode == "on") for model in told["models"])
    chosen = [
        each["LogAttributes"]
        for each in told["decisions"]
        if "fleetspan.routing.model" in each["LogAttributes"]
    ]
    assert len(chosen) == 2
    for each in chosen:
        assert each["fleetspan.routing.model"] == "haiku"
        assert each["fleetspan.routing.applied"] == str(mode == "on").lower()
