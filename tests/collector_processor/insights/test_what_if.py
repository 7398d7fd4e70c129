"""What a run would have taken and cost, had some of it been otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fleetspan_collector._errors import UsageError
from fleetspan_collector.insights.what_if import (
    Nodes,
    candidates,
    changed,
    cheaper,
    lasts,
    parallel,
    without,
    without_waits,
)
from fleetspan_collector.processors.run import Run
from tests.collector_processor.fleet import agent, call, tool, traces
from tests.collector_processor.processors.building import Building
from tests.collector_processor.running import Collector, command

S = 1000


@pytest.fixture
def run() -> Run:
    """A lead of 32 s that asks two helpers, 10 s each, one after the other."""
    made = Building()
    made.agent("lead", 0, 32)
    made.call(
        "lead",
        0,
        6,
        call_id="plan",
        Model="claude-opus-4-7",
        InputTokens=100_000,
        OutputTokens=1_000,
        CostUsd=0.525,
    )
    for number, begin in enumerate((6, 16)):
        spawn = made.tool("lead", begin, 10, tool="Task", call_id=f"spawn-{number}")
        helper = made.agent(
            f"helper-{number}", begin, begin + 10, parent="lead", spawned_by=spawn
        )
        made.call(helper, begin, 10, call_id=f"work-{number}")
    made.tool("lead", 26, 6, call_id="ask", PermissionWaitMs=5000.0)
    return made.run()


class TestNodes:
    """What nodes are called."""

    def test_by_id_span_and_name(self, run: Run) -> None:
        """An id, a span, an agent's name, or the beginning of one."""
        nodes = Nodes(run)
        assert nodes.find("plan").kind == "call"
        assert nodes.find("0000000000000001").node_id == "plan"
        assert nodes.find("helper-1").kind == "agent"
        assert nodes.find("as").node_id == "ask"
        assert nodes.find("ask").agent_name == "lead"
        assert nodes.find("plan").seconds == 6.0

    def test_ambiguous(self, run: Run) -> None:
        """Several are an error that names them."""
        with pytest.raises(UsageError, match="2 nodes are called so: agent helper-0"):
            Nodes(run).find("helper")

    def test_a_whole_id_goes_before_a_beginning(self) -> None:
        """An id that others begin with is that one."""
        made = Building()
        made.agent("a", 0, 1)
        made.agent("ab", 0, 1)
        assert Nodes(made.run()).find("a").node_id == "a"

    @pytest.mark.parametrize("named", ["", "nobody", "%", "'"])
    def test_nobody(self, run: Run, named: str) -> None:
        """What is not there is an error that says what to try."""
        with pytest.raises(UsageError, match="there is no") as told:
            Nodes(run).find(named)
        assert told.value.suggestion == "fleetspan what-if run-1"


class TestChanges:
    """What changes come to."""

    def test_faster(self, run: Run) -> None:
        """A call that takes half as long makes the run as much shorter."""
        half = changed(run, [lasts(Nodes(run).find("plan"), 3.0)])
        assert (half.wall_s, half.saved_s) == (29.0, 3.0)

    def test_side_by_side(self, run: Run) -> None:
        """The sub-agents of a parent together take as long as one."""
        nodes = Nodes(run)
        of_parent = changed(run, [parallel(run, [nodes.find("lead")])])
        named = [nodes.find("helper-0"), nodes.find("helper-1")]
        assert of_parent.saved_s == changed(run, [parallel(run, named)]).saved_s == 10.0

    def test_another_model(self, run: Run) -> None:
        """Calls by another model cost what that model costs; the time stays."""
        nodes = Nodes(run)
        change = cheaper(run, [nodes.find("lead")], "claude-haiku-4-5")
        after = changed(run, [change])
        assert after.saved_s == 0.0
        assert after.saved_usd == pytest.approx(0.525 - 0.105)

    def test_a_model_without_a_price(self, run: Run) -> None:
        """What another model costs is unknown when it has no price."""
        after = changed(run, [cheaper(run, [], "in-house-7b")])
        assert (after.usd, after.saved_usd) == (None, None)

    def test_not_at_all(self, run: Run) -> None:
        """What is not done takes no time and costs nothing; the rest has no price."""
        after = changed(run, [without([Nodes(run).find("plan")])])
        assert (after.wall_s, after.saved_usd, after.usd) == (26.0, 0.525, None)

    def test_no_wait(self, run: Run) -> None:
        """Without its permission wait a tool call takes only its own time."""
        after = changed(run, [without_waits(run, [Nodes(run).find("lead")])])
        assert after.saved_s == 5.0

    def test_together(self, run: Run) -> None:
        """All changes hold together."""
        nodes = Nodes(run)
        after = changed(
            run,
            [
                lasts(nodes.find("plan"), 3.0),
                parallel(run, [nodes.find("lead")]),
                without_waits(run, [nodes.find("ask")]),
            ],
        )
        assert after.wall_s == 32.0 - 3.0 - 10.0 - 5.0

    def test_what_cannot_be_side_by_side(self, run: Run) -> None:
        """Calls, and an agent without sub-agents, are errors."""
        nodes = Nodes(run)
        with pytest.raises(UsageError, match="it is a call"):
            parallel(run, [nodes.find("plan")])
        with pytest.raises(UsageError, match="cannot be started together"):
            parallel(run, [nodes.find("helper-0")])

    def test_a_tool_call_has_no_model(self, run: Run) -> None:
        """What has made no model calls cannot use another model."""
        with pytest.raises(UsageError, match="made no model calls"):
            cheaper(run, [Nodes(run).find("ask")], "claude-haiku-4-5")


def test_candidates(run: Run) -> None:
    """The nodes whose half saves most come first; the main agent is none of them."""
    found = candidates(run)
    assert [each.saved_s for each in found] == sorted(
        (each.saved_s for each in found), reverse=True
    )
    by_id = {each.node.node_id: each for each in found}
    assert "lead" not in by_id
    assert by_id["plan"].saved_s == 3.0
    assert (by_id["helper-0"].path_s, by_id["helper-0"].saved_s) == (10.0, 5.0)


def test_nothing_to_change() -> None:
    """A run without rows has no candidates."""
    assert candidates(Building(status="ok").run()) == []


@pytest.mark.integration
def test_the_command(tmp_path: Path) -> None:
    """It asks a running collector, and reads the store itself when there is none."""
    trace = 0x7A
    spans = [
        agent(trace, 1, lasts_ms=20 * S, gen_ai__agent__name="lead"),
        call(trace, 2, 1, lasts_ms=8 * S),
        tool(trace, 3, 1, at_ms=8 * S, lasts_ms=12 * S),
    ]
    data = tmp_path / "data"
    with Collector(data) as collector:
        collector.post("traces", traces(spans).SerializeToString())
        collector.settle()
        named = ("--data", str(data), "what-if", f"{trace:032x}")
        asked = command(*named, "--lasts", f"{3:016x}=0.5x", "--json")
        assert asked.returncode == 0, asked.stderr
        document = json.loads(asked.stdout)
        assert document["was"]["wall_s"] == 20.0
        assert document["would_be"]["wall_s"] == 14.0
        assert document["would_be"]["saved_usd"] == 0.0
        collector.stop()
    alone = command(*named)
    assert alone.returncode == 0, alone.stderr
    assert "half of which time would save most" in alone.stdout
    wrong = command(*named, "--lasts", "nobody=2")
    assert wrong.returncode == 2
    assert "there is no 'nobody'" in wrong.stderr
    assert command(*named, "--lasts", f"{3:016x}=fast").returncode == 2
    assert command(*named, "--cheaper", "lead").returncode == 2
