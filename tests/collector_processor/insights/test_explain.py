"""A run in five lines."""

from collections.abc import Callable

import pytest

from fleetspan_collector.cli._source import LocalSource
from fleetspan_collector.insights.explain import Explanation, Line, explain
from tests.collector_processor.embedded import Embedded
from tests.collector_processor.insights.stored import START_NS, Stored, empty

pytestmark = pytest.mark.integration

Explains = Callable[..., dict[str, Line]]
SECOND = 1_000_000_000


@pytest.fixture
def explained(store: Embedded, source: LocalSource) -> Explains:
    """Explain the run ``r1`` of the given rows; its lines by topic."""

    def lines(rows: Stored, now_s: float = 100.0) -> dict[str, Line]:
        empty(store)
        rows.write(store)
        found = explain(source, "r1", START_NS + int(now_s * SECOND))
        assert isinstance(found, Explanation)
        assert len(found.lines) == 5
        return {line.topic: line for line in found.lines}

    return lines


def ended_run() -> Stored:
    """Make a run of two agents that has ended and is analysed."""
    rows = Stored()
    rows.run("r1", seconds=60.0, CostUsd=0.5, LlmCalls=3, ToolCalls=3, Errors=2)
    rows.agent("r1", "main", Name="lead")
    rows.agent("r1", "sub", Name="coder", at=5.0, seconds=50.0)
    rows.call("r1", "sub", at=5.0, seconds=40.0, CostUsd=0.3, CallId="dear")
    rows.call("r1", "sub", at=45.0, seconds=2.0, CostUsd=0.1)
    rows.call("r1", "main", at=0.0, seconds=5.0, CostUsd=0.1)
    for number in range(2):
        rows.tool(
            "r1",
            "sub",
            at=47.0 + number,
            seconds=1.0,
            Success=0,
            Error="ExitCode",
            ToolCallId=f"failed-{number}",
        )
    start = START_NS // SECOND
    rows.analysis(
        "r1",
        WallSeconds=60.0,
        ModelSeconds=47.0,
        ToolSeconds=2.0,
        PermissionSeconds=0.0,
        QueueSeconds=0.0,
        BackoffSeconds=0.0,
        SubagentSeconds=0.0,
        GapSeconds=11.0,
        SavedSeconds=30.0,
        SavedUsd=0.2,
        PathStart=[str(start), str(start + 5), str(start + 45)],
        PathEnd=[str(start + 5), str(start + 45), str(start + 47)],
        PathCategory=["model", "model", "model"],
        PathAgentId=["main", "sub", "sub"],
        PathKey=["other", "dear", "third"],
    )
    rows.rollup("r1", "main", Name="lead", PathSeconds=5.0)
    rows.rollup("r1", "sub", Name="coder", PathSeconds=50.0)
    return rows


class TestEnded:
    """A run that is over."""

    def test_time(self, explained):
        """The ledger, who held the run up, and its longest step, with their ids."""
        line = explained(ended_run())["time"]
        assert line.text == (
            "1m00s: 78% models, 18% untracked, 3% tools. Agent coder held it up "
            "longest, 50.0s. The longest step: claude-sonnet-4-5 of coder, 40.0s."
        )
        assert line.seconds == 60.0
        assert line.evidence.agent_ids == ["sub"]
        assert line.evidence.call_ids == ["dear"]
        assert line.evidence.span_ids == ["span-sub", "span-r1-call-0"]

    def test_cost(self, explained):
        """Which agent and model cost most, and the dearest call."""
        line = explained(ended_run())["cost"]
        assert line.text == (
            "$0.50: 80% of it coder with claude-sonnet-4-5 in 2 calls, the dearest $0.30."
        )
        assert line.usd == 0.5
        assert (line.evidence.agent_ids, line.evidence.call_ids) == (["sub"], ["dear"])

    def test_failures(self, explained):
        """What failed and how often, the latest first."""
        line = explained(ended_run())["failures"]
        assert line.text == "tool Bash: ExitCode ×2."
        assert line.evidence.tool_call_ids == ["failed-1", "failed-0"]

    def test_saving(self, explained):
        """The finding that saves most of the run's time and cost, and what to do."""
        rows = ended_run()
        rows.finding("r1", "small", Seconds=5.0, Usd=0.0, Advice="small")
        rows.finding(
            "r1",
            "large",
            Seconds=6.0,
            Usd=0.2,
            What="Large.",
            Advice="Do it.",
            SpanIds=["s1"],
        )
        lines = explained(rows)
        assert lines["saving"].text == (
            "6.0s and $0.20 (straggler): Large. All 2 findings together: 30.0s and $0.20."
        )
        assert (lines["saving"].seconds, lines["saving"].usd) == (6.0, 0.2)
        assert lines["saving"].evidence.finding_ids == ["large"]
        assert lines["saving"].evidence.span_ids == ["s1"]
        assert lines["next"].text == "Do it."

    def test_grave_finding_that_saves_nothing(self, explained):
        """What is grave and saves nothing is told with what went wrong."""
        rows = ended_run()
        rows.finding(
            "r1", "f1", Severity="high", Seconds=0.0, Usd=0.0, What="it was left alone."
        )
        line = explained(rows)["failures"]
        assert line.text == "tool Bash: ExitCode ×2. It was left alone."
        assert line.evidence.finding_ids == ["f1"]

    def test_nothing_found(self, explained):
        """Without findings the failure is what to look at."""
        lines = explained(ended_run())
        assert lines["saving"].text == "None was found."
        assert lines["next"].text == "See why tool Bash failed with ExitCode."


class TestUnknown:
    """What nobody knows is not made up."""

    def test_not_analysed(self, explained):
        """Without an analysis the ledger and the savings are not known."""
        rows = Stored()
        rows.run("r1", seconds=60.0)
        lines = explained(rows)
        assert lines["time"].text == "1m00s; where they went is not known yet."
        assert lines["saving"].text == "Not known: it is not analysed yet."
        assert lines["cost"].text == "No model was called."

    def test_unpriced(self, explained):
        """Calls without a price are said, and the cost is not 0."""
        rows = Stored()
        rows.run("r1", LlmCalls=1, UnpricedCalls=1)
        rows.agent("r1", "main")
        rows.call("r1", "main", CostUsd=None)
        line = explained(rows)["cost"]
        assert line.text == "Not known. 1 of 1 calls have no price."
        assert line.usd is None

    def test_no_such_run(self, store, source):
        """A run that is not there has no explanation."""
        empty(store)
        assert explain(source, "r1", START_NS) is None


class TestOpen:
    """A run that goes on."""

    def test_now(self, explained):
        """The first line says what it is doing, since when, and how long it is silent."""
        rows = Stored()
        rows.run("r1", seconds=None, LastActivity="1790000040.0")
        rows.agent("r1", "main", Name="indexer", seconds=None)
        rows.tool(
            "r1", "main", at=40.0, seconds=None, ToolCallId="open", SpanId="span-open"
        )
        lines = explained(rows, now_s=100.0)
        assert next(iter(lines)) == "now"
        assert (
            lines["now"].text
            == "Bash of indexer since 1m00s. Last sign of it 1m00s ago."
        )
        assert lines["now"].evidence.tool_call_ids == ["open"]
        assert lines["now"].evidence.span_ids == ["span-open"]

    def test_agents_at_work(self, explained):
        """An agent with no tool at work is at work itself."""
        rows = Stored()
        rows.run("r1", seconds=None)
        rows.agent("r1", "main", Name="indexer", seconds=None)
        line = explained(rows, now_s=30.0)["now"]
        assert line.text.startswith("agent indexer, begun 30.0s ago.")
        assert line.evidence.agent_ids == ["main"]
