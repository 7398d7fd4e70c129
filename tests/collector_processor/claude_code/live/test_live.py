"""The real client, a scripted provider and `fleetspan up`, with a loopback alone."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import pytest

from tests.collector_processor.claude_code.live.harness.inside import SESSION
from tests.collector_processor.claude_code.live.playing import (
    Outcome,
    missing,
    play,
    version,
)

pytestmark = [
    pytest.mark.claude_code,
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(bool(missing()), reason=missing() or "-"),
]


TREES = ("tree", "http", "restart", "absent")
"""Scenarios that play the same plan, of five agents."""

Play = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Play:
    """Play each scenario once."""
    return cache(lambda name: play(name, tmp_path_factory.mktemp("live") / name))


@pytest.fixture
def outcome(request: pytest.FixtureRequest, played: Play) -> Outcome:
    """One run of the client, with whatever it is to meet."""
    return played(request.param)


def of(*scenarios: str) -> pytest.MarkDecorator:
    """Have a test take the outcomes of scenarios."""
    return pytest.mark.parametrize("outcome", scenarios, indirect=True)


@of(*TREES, "followed", "resume")
def test_canonical_rows_equal_the_truth(outcome: Outcome) -> None:
    """Agents, parents, types, spawning calls, requests, tools and tokens are the truth.

    With everything on; with hooks over HTTP; with the collector killed and started again
    meanwhile, of everything or of transcripts that are followed; with none until long
    after; and of a session that is resumed, forked and compacted.
    """
    assert outcome.differences() == {}, outcome.root


@of(*TREES, "followed")
def test_costs_equal_the_clients(outcome: Outcome) -> None:
    """Each call costs what its tokens do; the whole, what the client itself says."""
    told, true = outcome.found, outcome.truth
    costs = {key for key in true if key[2] == "cost"}
    assert len(costs) == 17
    for key in costs:
        assert told[key] == pytest.approx(true[key], rel=0.005), key
    says = outcome.document["client"]["results"][-1]["total_cost_usd"]
    assert sum(told[key] for key in costs) == pytest.approx(says, rel=0.005)


@of(*TREES, "followed")
def test_the_tree_is_shown(outcome: Outcome) -> None:
    """One run of five agents, each over and at work once; the fifth is in the fourth."""
    shown = outcome.document["shown"]
    assert [agent["status"] for agent in shown["agents"]] == ["ok"] * 5
    depth = {agent["agent_id"]: agent["parent"] for agent in shown["agents"]}
    assert sum(parent is None for parent in depth.values()) == 1
    assert sum(parent == shown["run_id"] for parent in depth.values()) == 3
    rows = outcome.rows("agents", "")
    assert [row["Activations"] for row in rows] == [1] * 5
    assert outcome.document["stopped"] == 0


@of(*TREES, "followed")
def test_the_client_notices_nothing(outcome: Outcome) -> None:
    """Whatever the collector does, the client ends well and writes no complaint."""
    ended = outcome.document["client"]
    assert (ended["code"], ended["stderr"]) == (0, "")
    assert [each["result"] for each in ended["results"]] == [
        "MAIN DONE.",
        "MAIN acknowledges the background result.",
    ]


@of(*TREES)
def test_every_hook_arrives_once(outcome: Outcome) -> None:
    """What was refused while the collector was away comes from the spool, once."""
    assert outcome.document["hooks"] == {
        "SessionStart": 1,
        "UserPromptSubmit": 2,
        "PreToolUse": 14,
        "PostToolUse": 12,
        "PostToolUseFailure": 2,
        "PostToolBatch": 11,
        "SubagentStart": 4,
        "SubagentStop": 4,
        "Stop": 2,
        "SessionEnd": 1,
    }


@of("restart")
def test_the_collector_was_away_while_the_client_worked(outcome: Outcome) -> None:
    """So that the rows of a restart were put together from what outlived it."""
    spans = outcome.document["raw"]["spans"]
    assert outcome.document["spooled_meanwhile"] > 0
    assert outcome.document["back_in_time"]
    assert 0 < spans < 61, "the client gives up spans that nobody takes"


@of("resume")
def test_a_session_of_many_processes(outcome: Outcome) -> None:
    """Four processes are one run, the fork is another; each ends well and says nothing."""
    assert [row["RunId"] for row in outcome.rows("agents", "")].count(SESSION) == 1
    assert len(outcome.rows("runs", "")) == 2
    ended = outcome.document["clients"]
    assert [(each["code"], each["stderr"]) for each in ended] == [(0, "")] * 5
    assert outcome.document["hooks"]["SessionEnd"] == 5
    spent = sum(row["CostUsd"] for row in outcome.rows("llm_calls", ""))
    true = outcome.truth
    assert spent == pytest.approx(
        sum(true[key] for key in true if key[2] == "cost"), rel=0.005
    )


@of("under_run")
def test_a_client_under_fleetspan_run(outcome: Outcome) -> None:
    """Its telemetry is switched on for one run, whose summary is what it cost."""
    ended, report = outcome.document["client"], outcome.document["report"]["usage"]
    assert ended["code"] == 0
    says = ended["results"][-1]["total_cost_usd"]
    assert report["cost_usd"] == pytest.approx(says, rel=0.005)
    assert report["input_tokens"] == sum(
        value for key, value in outcome.truth.items() if key[2] == "InputTokens"
    )
    assert len(ended["stderr"].splitlines()) == 5
    # Telemetry alone does not name agents that a user defined.
    wrong = {key for key in outcome.differences() if key[2] != "type"}
    assert wrong == set(), outcome.root


def test_without_a_collector_the_client_is_as_without_anything(
    played: Play, capsys: pytest.CaptureFixture[str]
) -> None:
    """Result, exit code and output are those of a client that nothing is installed for.

    How long both take is printed, and no more: a machine may be busy.
    """
    ended = {name: played(name).document["client"] for name in ("bare", "absent")}
    results = {
        name: [(each["subtype"], each["result"]) for each in client["results"]]
        for name, client in ended.items()
    }
    assert results["absent"] == results["bare"]
    assert ended["absent"]["code"] == ended["bare"]["code"] == 0
    assert ended["absent"]["stderr"] == ended["bare"]["stderr"] == ""
    bare_s, absent_s = (ended[name]["seconds"] for name in ("bare", "absent"))
    with capsys.disabled():
        print(  # noqa: T201 - a figure, for people
            f"\n{version()}: {absent_s:.2f} s with hooks and telemetry to nobody,"
            f" {bare_s:.2f} s without anything, {absent_s / bare_s:.2f} times"
        )
