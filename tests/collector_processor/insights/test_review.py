"""Reviews of a stored fleet: figures, ledger, savings, and planted changes."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from fleetspan_collector.cli._source import LocalSource
from fleetspan_collector.insights.phase import Span
from fleetspan_collector.insights.priorities import insights_of
from fleetspan_collector.insights.review import Review, document_of, make_review
from tests.collector_processor.embedded import Embedded
from tests.collector_processor.insights.planted_fleet import (
    AFTER_NS,
    BEFORE_NS,
    END_NS,
    planted_fleet,
)
from tests.collector_processor.insights.stored import START_NS, Stored, empty

pytestmark = pytest.mark.integration

BEFORE = Span(since_ns=BEFORE_NS, until_ns=AFTER_NS)
AFTER = Span(since_ns=AFTER_NS, until_ns=END_NS)

Reviews = Callable[..., Review]


@pytest.fixture
def reviewed(store: Embedded, source: LocalSource) -> Reviews:
    """Review a phase of nothing but the given rows."""

    def review(
        rows: Stored, span: Span = AFTER, against: Span | None = BEFORE
    ) -> Review:
        empty(store)
        rows.write(store)
        return make_review(source, span, against, END_NS)

    return review


class TestPlantedChanges:
    """Two phases, from rows in the store to what a review names."""

    def test_exactly_these(self, reviewed):
        """What was planted stands for itself, and nothing else does."""
        review = reviewed(planted_fleet(1))
        own = {change.key: change for change in review.changes if not change.because_of}
        assert own.keys() == {
            "tool web_search seconds",
            "run ticket usd",
            "tool find_customer failures",
        }
        slower = own["tool web_search seconds"]
        assert slower.ratio == pytest.approx(1.4, abs=0.06)
        assert slower.difference == pytest.approx(0.8, abs=0.12)
        dearer = own["run ticket usd"]
        assert dearer.ratio == pytest.approx(1.3, abs=0.03)
        assert dearer.difference == pytest.approx(0.03, abs=0.004)
        failing = own["tool find_customer failures"]
        # One of four calls in every second run of tickets.
        assert (failing.before, failing.after) == (0.0, 10 / 80)

    def test_failures_are_listed_beside_the_earlier_ones(self, reviewed):
        """The error that is new is named with how often it was, and was before."""
        (failure,) = reviewed(planted_fleet(1)).failures
        assert (failure.kind, failure.name, failure.error) == (
            "tool",
            "find_customer",
            "SchemaError",
        )
        assert (failure.times, failure.before, failure.runs) == (10, 0, 10)
        assert len(failure.span_ids) == 10

    def test_nothing_planted(self, reviewed):
        """Two phases of one kind differ by nothing more than noise."""
        review = reviewed(planted_fleet(1, planted=False))
        assert review.earlier is not None
        assert review.earlier.comparison is not None
        assert review.changes == []
        assert review.earlier.comparison.compared >= 20

    def test_numbered_agents_are_one(self, reviewed):
        """Agents whose names differ in a number are compared as one."""
        review = reviewed(planted_fleet(1))
        assert {part.subject for part in review.parts["agent"]} == {
            "searcher-*",
            "clerk-*",
        }

    def test_actions(self, reviewed):
        """Changes for the worse are things to do, with what they cost in the phase."""
        found = {
            each.title.split(":")[1]: each
            for each in insights_of(reviewed(planted_fleet(1)))
        }
        assert found.keys() == {
            " tool web_search",
            " run ticket",
            " tool find_customer",
        }
        # 20 runs of 4 searches, 0.8 s longer each; 20 tickets, 3 cents dearer each.
        assert found[" tool web_search"].seconds == pytest.approx(64, abs=10)
        assert found[" run ticket"].usd == pytest.approx(0.6, abs=0.08)
        assert found[" run ticket"].seconds is None


class TestFigures:
    """What a phase came to."""

    def test_known(self, reviewed):
        """Counts, cost, tokens, wall times and shares of three runs."""
        rows = Stored()
        rows.run("r1", seconds=10.0, CostUsd=1.0, InputTokens=100, CacheReadTokens=300)
        rows.analysis("r1", Complexity=2.0, Effort=4.0)
        rows.run("r2", seconds=30.0, CostUsd=2.0, InputTokens=500, CacheReadTokens=100)
        rows.run(
            "r3", seconds=20.0, Status="error", Errors=2, LlmCalls=3, UnpricedCalls=3
        )
        figures = reviewed(rows, BEFORE, None).figures
        assert (figures.runs, figures.failed, figures.running) == (3, 1, 0)
        assert figures.failed_share == pytest.approx(1 / 3)
        assert figures.runs_with_errors == 1
        assert (figures.cost_usd, figures.cost_per_run_usd) == (3.0, 1.5)
        assert figures.unpriced_calls == 3
        assert (figures.wall_p50_s, figures.wall_s) == (20.0, 60.0)
        assert figures.wall_p95_s == pytest.approx(29.0)
        assert (figures.complexity, figures.effort, figures.analysed) == (2.0, 4.0, 1)
        assert figures.tokens["input"] == 600
        assert figures.cache_share == pytest.approx(400 / 1000)

    def test_unknown_is_not_zero(self, reviewed):
        """Without prices, tokens or ends there is nothing to say, and not 0."""
        rows = Stored()
        rows.run("r1", seconds=None, LlmCalls=1, UnpricedCalls=1)
        review = reviewed(rows, BEFORE, None)
        figures = review.figures
        assert figures.running == 1
        assert figures.cost_usd is None
        assert figures.cost_per_run_usd is None
        assert figures.wall_p50_s is None
        assert figures.failed_share is None
        assert figures.cache_share is None
        assert figures.tokens == dict.fromkeys(
            ("input", "cache_read", "cache_write", "output")
        )
        assert review.ledger is None
        assert (review.together.seconds, review.together.usd) == (None, None)

    def test_ends_before_starts(self, reviewed):
        """An end before the start is no length, and is not the shortest run either."""
        rows = Stored()
        rows.run("r1", seconds=10.0)
        rows.run("r2", at=50.0, seconds=-40.0, LastActivity="1790000050.0")
        review = reviewed(rows, BEFORE, None)
        assert (review.figures.runs, review.figures.wall_s) == (2, 10.0)
        assert [run.run_id for run in review.fastest] == ["r1"]

    def test_far_away(self, reviewed):
        """A run of 2100 is reviewed like others."""
        rows = Stored(start_ns=4_102_444_800 * 10**9)
        rows.run("r1", seconds=10.0, CostUsd=1.0)
        rows.agent("r1", "main")
        rows.call("r1", "main")
        span = Span(since_ns=0, until_ns=4_200_000_000 * 10**9)
        review = reviewed(rows, span, None)
        assert (review.figures.runs, review.figures.wall_s) == (1, 10.0)
        assert [part.usd for part in review.parts["model"]] == [0.01]

    def test_month(self, reviewed):
        """A rate for 30 days is told of phases of a day and longer."""
        rows = Stored()
        rows.run("r1", CostUsd=2.0)
        day = Span(since_ns=START_NS, until_ns=START_NS + 86_400 * 10**9)
        assert reviewed(rows, day, None).figures.cost_per_30_days_usd == 60.0
        assert reviewed(rows, BEFORE, None).figures.cost_per_30_days_usd is None

    def test_bounds(self, reviewed):
        """A run belongs to the phase in which it began; the end is no part of it."""
        rows = Stored()
        rows.run("first", at=0.0, seconds=1e6)
        rows.run("next", at=12 * 3600.0)
        assert reviewed(rows, BEFORE, None).figures.runs == 1
        assert reviewed(rows, AFTER, BEFORE).slowest[0].run_id == "next"

    def test_limits(self, reviewed):
        """Sessions, projects and environments limit what is looked at."""
        rows = Stored()
        rows.run("r1", SessionId="s'1", Project="shop", Environment="test")
        rows.run("r2", SessionId="s2", Project="shop", Environment="live")
        since, until = BEFORE_NS, AFTER_NS

        def runs(**limits: object) -> list[str]:
            span = Span(since_ns=since, until_ns=until, **limits)  # type: ignore[arg-type]
            return sorted(run.run_id for run in reviewed(rows, span, None).slowest)

        assert runs(sessions=("s'1",)) == ["r1"]
        assert runs(sessions=("s'1", "s2")) == ["r1", "r2"]
        assert runs(project="shop", environment="live") == ["r2"]
        assert runs(project="none") == []

    def test_nothing(self, reviewed):
        """A phase without runs is a review all the same, and a document."""
        review = reviewed(Stored())
        assert review.figures.runs == 0
        assert review.savings == []
        assert review.earlier is not None
        assert review.earlier.comparison is None
        json.dumps(document_of(review))


class TestLedger:
    """Where the time went."""

    def test_adds_up(self, reviewed):
        """The parts are added over the runs that are analysed."""
        rows = Stored()
        for run_id, model_s in (("r1", 6.0), ("r2", 2.0)):
            rows.run(run_id, seconds=10.0)
            rows.analysis(
                run_id,
                WallSeconds=10.0,
                ModelSeconds=model_s,
                ToolSeconds=10.0 - model_s,
                BusySeconds=15.0,
            )
        rows.run("not analysed", seconds=99.0)
        ledger = reviewed(rows, BEFORE, None).ledger
        assert ledger is not None
        assert (ledger.runs, ledger.wall_s, ledger.busy_s) == (2, 20.0, 30.0)
        assert ledger.seconds == {
            "model": 8.0,
            "tool": 12.0,
            "subagent": 0.0,
            "permission": 0.0,
            "queue": 0.0,
            "backoff": 0.0,
            "gap": 0.0,
        }
        assert ledger.share("tool") == 0.6


class TestSavings:
    """Opportunities, and what they are worth."""

    def make(self) -> Stored:
        """Make two runs of 100 s and 1 USD each with five findings."""
        rows = Stored()
        for run_id in ("r1", "r2"):
            rows.run(run_id, seconds=100.0, CostUsd=1.0)
            rows.analysis(run_id, SavedSeconds=50.0, SavedUsd=0.2)
        loop: dict[str, Any] = {"Detector": "no_progress_loop", "AgentName": "coder"}
        tool = {"tool": "Bash"}
        rows.finding(
            "r1", "f1", Seconds=30.0, Usd=0.1, details=tool, What="short", **loop
        )
        rows.finding(
            "r1",
            "f2",
            Seconds=40.0,
            Usd=0.06,
            details=tool,
            What="long",
            **loop,
            Severity="high",
            SpanIds=["s1", "s2"],
        )
        rows.finding("r2", "f3", Seconds=None, Usd=0.15, details=tool, **loop)
        rows.finding("r2", "f4", AgentName="auditor-3", Seconds=10.0, Usd=0.0)
        rows.finding("r2", "f5", Detector="broken_trace", Seconds=0.0, Usd=0.0)
        return rows

    def test_grouped(self, reviewed):
        """Findings of one detector about one tool of one agent are one opportunity."""
        first, second = reviewed(self.make(), BEFORE, None).savings
        assert (first.detector, first.subject_kind, first.subject, first.agent) == (
            "no_progress_loop",
            "tool",
            "Bash",
            "coder",
        )
        assert (first.findings, first.runs, first.severity) == (3, 2, "high")
        assert (second.detector, second.subject) == ("straggler", "auditor-*")

    def test_nothing_twice(self, reviewed):
        """No run saves more than all of its findings do together."""
        first, _ = reviewed(self.make(), BEFORE, None).savings
        # 30 and 40 s of a run whose findings save 50 s together.
        assert first.seconds == 50.0
        assert first.usd == pytest.approx(0.1 + 0.06 + 0.15)

    def test_ranked(self, reviewed):
        """What counts is the share of the phase's time and of its cost."""
        first, second = reviewed(self.make(), BEFORE, None).savings
        assert first.score == pytest.approx(50 / 200 + 0.31 / 2)
        assert second.score == pytest.approx(10 / 200)

    def test_evidence(self, reviewed):
        """The largest finding speaks for them, and its ids come first."""
        first, _ = reviewed(self.make(), BEFORE, None).savings
        assert first.what == "long"
        assert first.finding_ids == ["f2", "f1", "f3"]
        assert first.run_ids[0] == "r1"
        assert first.span_ids == ["s1", "s2"]

    def test_together(self, reviewed):
        """All of them save what the analyses of the runs say."""
        together = reviewed(self.make(), BEFORE, None).together
        assert (together.seconds, together.usd) == (100.0, 0.4)

    def test_unknown(self, reviewed):
        """A saving whose dollars nobody knows has none, and not 0."""
        rows = Stored()
        rows.run("r1", seconds=100.0)
        rows.finding("r1", "f1", Seconds=5.0, Usd=None)
        (saving,) = reviewed(rows, BEFORE, None).savings
        assert (saving.seconds, saving.usd) == (5.0, None)


class TestParts:
    """Run names, agents, tools and models."""

    def test_tools_that_wait_for_agents(self, reviewed):
        """A tool call that started an agent has no time of its own."""
        rows = Stored()
        rows.run("r1")
        rows.agent("r1", "main")
        rows.tool("r1", "main", "Bash", seconds=3.0)
        rows.tool("r1", "main", "Task", seconds=50.0, ToolCallId="spawns")
        rows.agent("r1", "helper", SpawnToolCallId="spawns", ParentAgentId="main")
        tools = {
            part.subject: part for part in reviewed(rows, BEFORE, None).parts["tool"]
        }
        assert (tools["Bash"].seconds, tools["Bash"].times) == (3.0, 1)
        assert tools["Task"].p50_s is None
        assert tools["Task"].times == 1

    def test_permission_is_not_the_tool(self, reviewed):
        """What a tool call waited for permission is not its own time."""
        rows = Stored()
        rows.run("r1")
        rows.agent("r1", "main")
        rows.tool("r1", "main", seconds=30.0, PermissionWaitMs=28_000.0)
        rows.tool("r1", "main", seconds=None)
        (tool,) = reviewed(rows, BEFORE, None).parts["tool"]
        assert (tool.seconds, tool.p50_s, tool.times) == (2.0, 2.0, 2)

    def test_agents(self, reviewed):
        """Of agents: their wall time, and how much of the critical path was theirs."""
        rows = Stored()
        rows.run("r1")
        for number in range(2):
            rows.agent("r1", f"a{number}", seconds=20.0, Name=f"worker-{number}")
            rows.rollup("r1", f"a{number}", PathSeconds=5.0 * number)
        rows.agent("r1", "a3", seconds=-5.0, Name="worker-3")
        (agent,) = reviewed(rows, BEFORE, None).parts["agent"]
        assert (agent.subject, agent.times, agent.p50_s) == ("worker-*", 3, 20.0)
        assert (agent.seconds, agent.path_s) == (40.0, 5.0)

    def test_models(self, reviewed):
        """Of models: what they cost, how often they fail, how much they read from a cache."""
        rows = Stored()
        rows.run("r1", CostUsd=0.02)
        rows.agent("r1", "main")
        rows.call("r1", "main", InputTokens=100, CacheReadTokens=300)
        rows.call(
            "r1",
            "main",
            Error="RateLimitError",
            CostUsd=None,
            InputTokens=None,
            CacheReadTokens=None,
            CacheWriteTokens=None,
            OutputTokens=None,
        )
        (model,) = reviewed(rows, BEFORE, None).parts["model"]
        assert (model.times, model.failures, model.failed_share) == (2, 1, 0.5)
        assert model.usd == 0.01
        assert model.cache_share == pytest.approx(0.75)
