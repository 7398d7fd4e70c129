"""The demo, read afterwards with no collector running, against what its agents noted."""

from collections import Counter
from typing import Any

import pytest

pytestmark = pytest.mark.integration

SUMMED = (
    "agents",
    "llm_calls",
    "tool_calls",
    "errors",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
)
# US dollars per million tokens: input, cache read, 5 minute and 1 hour writes, output.
# Anthropic's, OpenAI's and Google's list prices (up to 200,000 tokens) in November 2026.
LIST_PRICES = {
    "claude-opus-4-7": (5.0, 0.5, 6.25, 10.0, 25.0),
    "claude-sonnet-4-5": (3.0, 0.3, 3.75, 6.0, 15.0),
    "claude-haiku-4-5": (1.0, 0.1, 1.25, 2.0, 5.0),
    "gpt-5.2": (1.75, 0.175, 0.0, 0.0, 14.0),
    "gemini-2.5-pro": (1.25, 0.125, 0.0, 0.0, 10.0),
}
PRICED_KINDS = (
    "input_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
)


def list_price(agents: list[dict[str, Any]]) -> float | None:
    """Return what the priced calls of these agents cost in US dollars, if there are any."""
    priced = [
        tokens.get(kind, 0) * usd / 1e6
        for agent in agents
        for model, tokens in agent["tokens_by_model"].items()
        if model in LIST_PRICES
        for kind, usd in zip(PRICED_KINDS, LIST_PRICES[model], strict=True)
    ]
    return sum(priced) if priced else None


class TestWhatIsStored:
    """What every demo must have brought into the store."""

    def test_runs(self, demo):
        """The store has the runs that were made, and no others."""
        made = {run["run_id"] for run in demo.truth["runs"]}
        assert len(made) == 18
        assert set(demo.runs) == made

    def test_spans_and_start_events(self, demo):
        """Every span and every start event is there once."""
        spans = demo.sql(
            "SELECT count() AS rows, uniqExact(TraceId, SpanId) AS spans"
            " FROM otel.otel_traces"
        )
        starts = demo.sql(
            "SELECT count() AS starts FROM otel.otel_logs"
            " WHERE EventName LIKE 'fleetspan.%.start'"
        )
        assert spans == [{"rows": demo.truth["spans"], "spans": demo.truth["spans"]}]
        assert starts == [{"starts": demo.truth["starts"]}]

    def test_counts_and_tokens(self, demo):
        """Agents, calls, errors and every kind of token agree, run by run."""
        for run in demo.truth["runs"]:
            stored = demo.runs[run["run_id"]]
            assert {name: stored[name] or 0 for name in SUMMED} == {
                name: run[name] for name in SUMMED
            }
            assert stored["name"] == run["name"]
            assert stored["session_id"] == run["session_id"]

    def test_cost(self, demo):
        """A run costs what the list prices say; without a priced call it is unknown."""
        for run_id, stored in demo.runs.items():
            agents = [
                agent for agent in demo.truth["agents"] if agent["run_id"] == run_id
            ]
            expected = list_price(agents)
            if expected is None:
                assert stored["cost_usd"] is None
            else:
                assert stored["cost_usd"] == pytest.approx(expected, rel=1e-9)

    def test_unpriced(self, demo):
        """A model without a list price is counted, and not taken for free."""
        calls = demo.sql(
            "SELECT count() AS calls, countIf(CostUsd IS NULL) AS unpriced"
            " FROM otel.llm_calls WHERE Model = 'northwind-chat-13b'"
        )
        made = sum(
            agent["calls_by_model"].get("northwind-chat-13b", 0)
            for agent in demo.truth["agents"]
        )
        assert made > 0
        assert calls == [{"calls": made, "unpriced": made}]

    def test_priced(self, demo):
        """Every other call that was answered has a price."""
        unpriced = demo.sql(
            "SELECT DISTINCT toString(Model) AS model FROM otel.llm_calls"
            " WHERE CostUsd IS NULL AND Error = ''"
        )
        assert unpriced == [{"model": "northwind-chat-13b"}]

    def test_events(self, demo):
        """The five kinds of event are on the spans."""
        made: Counter[str] = Counter()
        for agent in demo.truth["agents"]:
            made.update(agent["events"])
        stored = demo.sql(
            "SELECT substring(name, 11) AS kind, count() AS number"
            " FROM otel.otel_traces ARRAY JOIN Events.Name AS name"
            " WHERE name LIKE 'fleetspan.%' GROUP BY kind"
        )
        assert {row["kind"]: row["number"] for row in stored} == dict(made)

    def test_agents(self, demo):
        """Each agent of a nested run has its own calls, its parent and its spawning call."""
        run_id = demo.outcome["shown"]["run_id"]
        shown = {agent["agent_id"]: agent for agent in demo.show(run_id)["agents"]}
        made = [agent for agent in demo.truth["agents"] if agent["run_id"] == run_id]
        assert len(shown) == len(made) >= 5
        for agent in made:
            stored = shown[agent["agent_id"]]
            assert stored["name"] == agent["name"]
            assert stored["parent"] == agent["parent"]
            assert stored["spawn_tool_call_id"] == agent["spawn_tool_call_id"]
            assert stored["llm_calls"] == agent["llm_calls"]
            assert stored["tool_calls"] == agent["tool_calls"]

    def test_side_by_side(self, demo):
        """Sub-agents in asyncio's tasks start together and have one parent."""
        rows = demo.sql(
            "SELECT uniqExact(StartTime) AS starts, uniqExact(ParentAgentId) AS parents,"
            " count() > 1 AS several FROM otel.agents WHERE Name LIKE 'searcher-%'"
            " GROUP BY RunId LIMIT 1"
        )
        assert rows == [{"starts": 1, "parents": 1, "several": 1}]

    def test_background(self, demo):
        """A sub-agent in the background says so, and has the agent that started it."""
        rows = demo.sql(
            "SELECT DISTINCT SpanName AS span, parents.Name AS parent"
            " FROM otel.otel_traces JOIN otel.agents AS parents"
            " ON SpanAttributes['fleetspan.agent.parent_id'] = parents.AgentId"
            " WHERE SpanAttributes['fleetspan.background'] = 'true'"
        )
        assert rows == [{"span": "invoke_agent test-runner", "parent": "coder"}]

    def test_process_of_its_own(self, demo):
        """A sub-agent in a process of its own belongs to the run that started it."""
        rows = demo.sql(
            "SELECT Name AS name, uniqExact(ResourceAttributes['process.pid']) AS pids"
            " FROM otel.otel_traces AS spans JOIN otel.runs AS runs"
            " ON spans.SpanAttributes['fleetspan.run.id'] = runs.RunId"
            " GROUP BY RunId, Name HAVING pids > 1"
        )
        assert rows == [{"name": "migrate-module", "pids": 2}]

    def test_labels(self, demo):
        """Services have their project and environment, and runs have users."""
        rows = demo.sql(
            "SELECT DISTINCT toString(Service) AS service, toString(Project) AS project,"
            " toString(Environment) AS environment FROM otel.runs WHERE User != ''"
            " ORDER BY ALL"
        )
        assert [tuple(row.values()) for row in rows] == [
            ("indexer", "checkout", "production"),
            ("migration-crew", "billing", "development"),
            ("research-desk", "market-research", "production"),
            ("review-crew", "checkout", "production"),
            ("support-agents", "help-centre", "staging"),
        ]


class TestWrongOnPurpose:
    """The runs that are odd."""

    def test_exactly_one_each(self, demo):
        """There is one run of each kind that is odd, and the others are not."""
        specials = Counter(run["special"] for run in demo.truth["runs"])
        assert specials == {
            "": 8,
            "loop": 1,
            "stuck": 1,
            "cost spike": 1,
            "crash": 1,
            "one by one": 1,
            "straggler": 1,
            "rate limit": 1,
            "retry storm": 1,
            "broken cache": 1,
            "large output": 1,
        }

    def test_loop(self, demo):
        """The loop is the same tool call with the same result 30 times."""
        run = demo.special("loop")
        assert (run["name"], run["status"], run["tool_calls"]) == (
            "fix-flaky-test",
            "ok",
            30,
        )
        assert demo.sql(
            "SELECT toString(Tool) AS tool, count() AS calls,"
            " uniqExact(ArgumentsHash) AS arguments, uniqExact(ResultHash) AS results"
            " FROM otel.tool_calls JOIN otel.runs USING (RunId)"
            " WHERE runs.Name = 'fix-flaky-test' GROUP BY Tool"
        ) == [{"tool": "Bash", "calls": 30, "arguments": 1, "results": 1}]

    def test_stuck(self, demo):
        """The stuck agent has started a tool and not ended, and is still running."""
        run = demo.special("stuck")
        assert (run["name"], run["status"]) == ("index-monorepo", "running")
        agents = [
            (agent["name"], agent["status"], agent["tool_calls"])
            for agent in run["agents"]
        ]
        assert agents == [("indexer", "running", 1)]

    def test_cost_spike(self, demo):
        """The dear run costs 40 times as much as each of its siblings."""
        dear = demo.outcome["specials"]["cost spike"]
        siblings = [
            run["cost_usd"]
            for run_id, run in demo.runs.items()
            if run["name"] == "summarise-inbox" and run_id != dear
        ]
        assert siblings
        assert demo.runs[dear]["cost_usd"] == pytest.approx(40 * max(siblings))
        assert max(siblings) == pytest.approx(min(siblings))

    def test_crash(self, demo):
        """The agents of the crashed process are known by their start, and abandoned."""
        run = demo.special("crash")
        assert (run["name"], run["status"]) == ("migrate-ledger", "abandoned")
        agents = [(agent["name"], agent["status"]) for agent in run["agents"]]
        assert agents == [
            ("migration-planner", "abandoned"),
            ("converter", "ok"),
            ("checker", "ok"),
            ("ledger-writer", "abandoned"),
        ]


class TestReview:
    """What the demo's review, and the findings behind it, say of what was planted."""

    @pytest.mark.parametrize(
        ("special", "detector", "agent"),
        [
            ("loop", "no_progress_loop", "coder"),
            ("cost spike", "overpowered_model", "summariser"),
            ("one by one", "serialised_subagents", "checkout-reviewer"),
            ("straggler", "straggler", "auditor-2"),
            ("rate limit", "rate_limit_wait", "researcher"),
            ("retry storm", "retry_storm", "deployer"),
            ("broken cache", "broken_cache", "refactorer"),
            ("large output", "oversized_output", "debugger"),
        ],
    )
    def test_what_was_planted_is_found(self, demo, special, detector, agent):
        """Each odd run has the finding of its detector, at the agent that is odd."""
        run_id = demo.outcome["specials"][special]
        found = [
            finding["agent_name"]
            for finding in demo.findings
            if (finding["run_id"], finding["detector"]) == (run_id, detector)
        ]
        assert found == [agent]

    def test_opportunities(self, demo):
        """At least five different ones are named, with evidence, seconds and dollars."""
        savings = demo.outcome["review"]["savings"]
        assert len({saving["detector"] for saving in savings}) >= 5
        for saving in savings:
            assert saving["seconds"] is not None
            assert saving["usd"] is not None
            assert saving["seconds"] + saving["usd"] > 0
            assert saving["run_ids"]
            assert saving["finding_ids"]

    def test_saved_together(self, demo):
        """All together save no more than the parts, nor than there was."""
        review = demo.outcome["review"]
        together, figures = review["savings_together"], review["phase"]["figures"]
        for name, most in (("seconds", "wall_s"), ("usd", "cost_usd")):
            parts = sum(saving[name] for saving in review["savings"])
            assert 0 < together[name] <= min(parts + 1e-6, figures[most])

    def test_broken_cache_is_worth_what_was_paid_again(self, demo):
        """What the lost cache cost is what was written again, less what reading costs."""
        run_id = demo.outcome["specials"]["broken cache"]
        (agent,) = [each for each in demo.truth["agents"] if each["run_id"] == run_id]
        (saving,) = [
            each
            for each in demo.outcome["review"]["savings"]
            if each["detector"] == "broken_cache"
        ]
        # Sonnet's list prices of a write and of a read, of all but what was new.
        written = agent["tokens_by_model"]["claude-sonnet-4-5"]["cache_write_5m_tokens"]
        assert saving["usd"] == pytest.approx(written * (3.75 - 0.3) / 1e6, rel=0.1)


class TestDocument:
    """What ``demo --json`` prints."""

    def test_totals(self, demo):
        """The totals are the sums over the runs."""
        totals = demo.outcome["totals"]
        assert totals["runs"] == 18
        for name in ("agents", "llm_calls", "tool_calls", "errors"):
            assert totals[name] == sum(run[name] for run in demo.truth["runs"])

    def test_commands(self, demo):
        """What to type next names the data directory, since it is not the default."""
        assert [command.split()[1] for command in demo.outcome["next"]] == [
            "ls",
            "show",
            "explain",
            "findings",
            "review",
            "sql",
            "up",
        ]
        assert all(" --data " in command for command in demo.outcome["next"])

    def test_no_bar_off_a_terminal(self, demo):
        """Nothing but the document is written when nobody looks."""
        assert demo.error == ""
        assert demo.outcome["schema_version"] == 1
