"""Who owns what, and what counts once: spans in, canonical rows out."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from ..embedded import Embedded, embedded
from ..fleet import agent, call, logs, span, start_event, tool, traces

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each test has a tenant of its own in it."""
    with embedded(tmp_path_factory.mktemp("ownership")) as store:
        yield store


@pytest.fixture
def derived(store: Embedded, request: pytest.FixtureRequest) -> Any:
    """Take requests as a tenant named after the test, and read columns of its rows."""
    tenant = request.node.name.replace("'", "")

    class Derived:
        def take(self, *spans: Any, starts: Any = ()) -> None:
            store.take(
                traces(spans), *([logs(starts)] if starts else []), tenant=tenant
            )

        def rows(self, table: str, *columns: str) -> list[Any]:
            found = store.rows(table, f"Tenant = '{tenant}'", ", ".join(columns))
            values = [tuple(row.values()) for row in found]
            return [each[0] for each in values] if len(columns) == 1 else values

        def run(self, *columns: str) -> Any:
            (row,) = self.rows("runs", *columns)
            return row

    return Derived()


def name(number: int) -> str:
    """Return a span id in hex."""
    return f"{number:016x}"


class TestOwners:
    """The agent of a call."""

    def test_nearest_agent(self, derived: Any) -> None:
        """A call belongs to its closest agent above, however many spans lie between."""
        derived.take(
            agent(1, 1),
            agent(1, 2, 1),
            span(1, 3, 2),
            tool(1, 4, 3),
            call(1, 5, 4),
            call(1, 6, 1),
        )
        assert derived.rows("llm_calls", "CallId", "AgentId") == [
            (name(5), name(2)),
            (name(6), name(1)),
        ]
        assert derived.rows("agents", "AgentId", "ParentAgentId") == [
            (name(1), None),
            (name(2), name(1)),
        ]

    def test_stated_owner(self, derived: Any) -> None:
        """Who a call says it belongs to goes before where it stands."""
        derived.take(
            agent(1, 1, fleetspan__agent__id="lead"),
            agent(1, 2, 1, fleetspan__agent__id="scout"),
            call(1, 3, 1, fleetspan__agent__id="scout"),
        )
        assert derived.rows("llm_calls", "AgentId") == ["scout"]

    def test_no_agent_at_all(self, derived: Any) -> None:
        """A call without an agent is counted all the same; its trace is the run."""
        derived.take(call(1, 1), tool(1, 2, 1))
        assert derived.rows("llm_calls", "AgentId", "RunId") == [("", f"{1:032x}")]
        assert derived.run("Agents", "LlmCalls", "ToolCalls", "Status") == (
            0,
            1,
            1,
            "ok",
        )

    def test_agent_that_others_mention(self, derived: Any) -> None:
        """An agent known by its calls alone stands as running, until it reports."""
        derived.take(call(1, 2, 1, at_ms=30, fleetspan__agent__id=name(1)))
        assert derived.rows("agents", "AgentId", "Status", "Sources") == [
            (name(1), "running", ["mention"])
        ]
        derived.take(agent(1, 1, gen_ai__agent__name="lead"))
        assert derived.rows("agents", "AgentId", "Status", "Name", "Sources") == [
            (name(1), "ok", "lead", ["span"])
        ]
        assert derived.run("Agents", "LlmCalls", "Status") == (1, 1, "ok")

    def test_tool_that_starts_an_agent(self, derived: Any) -> None:
        """The tool call between two agents is what started the lower one."""
        derived.take(
            agent(1, 1),
            tool(1, 2, 1, gen_ai__tool__call__id="toolu_1"),
            agent(1, 3, 2),
            agent(1, 4, 3),
            agent(1, 5, 1, fleetspan__spawn__tool_call_id="stated"),
        )
        assert derived.rows("agents", "AgentId", "SpawnToolCallId") == [
            (name(1), None),
            (name(3), "toolu_1"),
            (name(4), None),
            (name(5), "stated"),
        ]

    def test_agent_that_reports_twice(self, derived: Any) -> None:
        """Two spans of one agent id are one agent, activated twice."""
        derived.take(
            agent(1, 1, fleetspan__agent__id="lead"),
            agent(1, 2, 1, fleetspan__agent__id="scout", at_ms=10),
            call(1, 3, 2),
            agent(1, 4, 1, fleetspan__agent__id="scout", at_ms=500),
            call(1, 5, 4),
        )
        assert derived.rows("agents", "AgentId", "Activations") == [
            ("lead", 1),
            ("scout", 2),
        ]
        assert derived.rows("llm_calls", "AgentId") == ["scout", "scout"]


class TestOnce:
    """One request, one tool call: counted once, whoever shows it."""

    def test_wrapper_around_one_call(self, derived: Any) -> None:
        """The inner call stands; its layer gives it the tokens that it lacks."""
        inner = {
            "gen_ai__usage__input_tokens": None,
            "gen_ai__usage__output_tokens": None,
        }
        derived.take(call(1, 1, gen_ai__usage__input_tokens=50), call(1, 2, 1, **inner))
        assert derived.rows("llm_calls", "CallId", "InputTokens") == [(name(2), 50)]

    def test_wrapper_and_call_both_know(self, derived: Any) -> None:
        """Where both know tokens the inner one's count, once."""
        derived.take(
            call(1, 1, gen_ai__usage__input_tokens=50),
            call(1, 2, 1, gen_ai__usage__input_tokens=40),
        )
        assert derived.rows("llm_calls", "CallId", "InputTokens") == [(name(2), 40)]

    def test_three_layers(self, derived: Any) -> None:
        """Any number of layers is one request."""
        derived.take(call(1, 1), call(1, 2, 1), span(1, 3, 2), call(1, 4, 3))
        assert derived.rows("llm_calls", "CallId") == [name(4)]

    def test_wrapper_around_several_calls(self, derived: Any) -> None:
        """Calls that know their tokens stand, without the layer around them."""
        derived.take(call(1, 1), call(1, 2, 1), call(1, 3, 1))
        assert derived.rows("llm_calls", "CallId") == [name(2), name(3)]

    def test_wrapper_that_alone_knows(self, derived: Any) -> None:
        """A layer stands for its calls when none of them knows any tokens."""
        dumb = {
            "gen_ai__usage__input_tokens": None,
            "gen_ai__usage__output_tokens": None,
        }
        derived.take(call(1, 1), call(1, 2, 1, **dumb), call(1, 3, 1, **dumb))
        assert derived.rows("llm_calls", "CallId", "OutputTokens") == [(name(1), 20)]

    def test_agent_between_two_calls(self, derived: Any) -> None:
        """A call of a sub-agent is not a layer of the call that led to it."""
        derived.take(call(1, 1), agent(1, 2, 1), call(1, 3, 2))
        assert derived.rows("llm_calls", "CallId") == [name(1), name(3)]

    def test_same_response_at_the_same_time(self, derived: Any) -> None:
        """Two reports of one response id that overlap are one request."""
        derived.take(
            call(1, 1, at_ms=0, lasts_ms=50, gen_ai__response__id="r"),
            call(1, 2, at_ms=10, lasts_ms=20, gen_ai__response__id="r"),
        )
        assert derived.rows("llm_calls", "CallId") == [name(1)]

    def test_same_response_id_later(self, derived: Any) -> None:
        """Some servers give every response one id: apart in time they are two."""
        derived.take(
            call(1, 1, at_ms=0, lasts_ms=50, gen_ai__response__id="r"),
            call(1, 2, at_ms=100, lasts_ms=20, gen_ai__response__id="r"),
        )
        assert derived.rows("llm_calls", "CallId") == [name(1), name(2)]

    def test_tool_in_a_tool(self, derived: Any) -> None:
        """A tool span in another of the same call id is a layer; of another, a call."""
        derived.take(
            tool(1, 1, gen_ai__tool__call__id="a"),
            tool(1, 2, 1, gen_ai__tool__call__id="a"),
            tool(1, 3, 1, gen_ai__tool__call__id="b"),
            tool(1, 4, 3),
        )
        assert derived.rows("tool_calls", "ToolCallId") == [name(4), "a", "b"]


class TestTokens:
    """Tokens and what they cost."""

    def test_input_includes_cached_tokens(self, derived: Any) -> None:
        """The parts of the cache are taken off the input, lifetimes apart."""
        derived.take(
            call(
                1,
                1,
                gen_ai__usage__input_tokens=1000,
                gen_ai__usage__cache_read__input_tokens=600,
                gen_ai__usage__cache_write__input_tokens=300,
                fleetspan__usage__cache_write_5m__input_tokens=100,
                fleetspan__usage__cache_write_1h__input_tokens=200,
            )
        )
        columns = ("InputTokens", "CacheReadTokens", "CacheWriteTokens")
        split = ("CacheWrite5mTokens", "CacheWrite1hTokens")
        assert derived.run(*columns, *split) == (100, 600, 300, 100, 200)
        wanted = (3 * 100 + 0.3 * 600 + 3.75 * 100 + 6 * 200 + 15 * 20) / 1e6
        assert derived.run("CostUsd") == pytest.approx(wanted)

    def test_older_names(self, derived: Any) -> None:
        """The older generation of names gives the same rows."""
        derived.take(
            span(
                1,
                1,
                gen_ai__operation__name="chat",
                gen_ai__system="anthropic",
                gen_ai__request__model="claude-sonnet-4-5",
                gen_ai__usage__prompt_tokens=1000,
                gen_ai__usage__completion_tokens=10,
                gen_ai__usage__cache_read_input_tokens=600,
                gen_ai__usage__cache_creation_input_tokens=300,
            )
        )
        columns = ("InputTokens", "CacheReadTokens", "CacheWriteTokens", "OutputTokens")
        assert derived.run(*columns) == (100, 600, 300, 10)
        # Writes of a lifetime that nobody stated: unknown, and priced as the shorter.
        assert derived.run("CacheWrite5mTokens", "CacheWrite1hTokens") == (None, None)
        wanted = (3 * 100 + 0.3 * 600 + 3.75 * 300 + 15 * 10) / 1e6
        assert derived.run("CostUsd") == pytest.approx(wanted)

    def test_unknown_usage_is_not_zero(self, derived: Any) -> None:
        """Calls without usage have no tokens and no cost, and count as unpriced."""
        usage = {
            "gen_ai__usage__input_tokens": None,
            "gen_ai__usage__output_tokens": None,
        }
        derived.take(agent(1, 1), call(1, 2, 1, **usage))
        columns = (
            "LlmCalls",
            "InputTokens",
            "OutputTokens",
            "CostUsd",
            "UnpricedCalls",
        )
        assert derived.run(*columns) == (1, None, None, None, 1)

    def test_unpriced_model(self, derived: Any) -> None:
        """A model without a price has tokens and no cost; the sum is of the others."""
        derived.take(
            agent(1, 1),
            call(1, 2, 1, gen_ai__request__model="no-such-model"),
            call(1, 7, 1),
        )
        assert derived.rows("llm_calls", "Model", "CostUsd") == [
            ("claude-sonnet-4-5", pytest.approx(0.0006)),
            ("no-such-model", None),
        ]
        assert derived.run("CostUsd", "UnpricedCalls") == (pytest.approx(0.0006), 1)

    def test_run_without_calls(self, derived: Any) -> None:
        """A run that called no model used 0 tokens, which is known."""
        derived.take(agent(1, 1))
        assert derived.run("LlmCalls", "InputTokens", "CostUsd") == (0, 0, 0)


class TestRuns:
    """What a run is, and how it stands."""

    def test_run_of_several_traces(self, derived: Any) -> None:
        """Traces that state one run are one run; its workflow gives it its name."""
        workflow: dict[str, Any] = {
            "gen_ai__operation__name": "invoke_workflow",
            "gen_ai__workflow__name": "nightly",
        }
        derived.take(agent(2, 1, fleetspan__run__id="r"), call(2, 2, 1))
        derived.take(
            span(1, 1, fleetspan__run__id="r", **workflow),
            agent(1, 2, 1, fleetspan__run__id="r"),
        )
        assert derived.run("RunId", "Name", "Agents", "LlmCalls") == (
            "r",
            "nightly",
            2,
            1,
        )

    def test_topmost_agent_is_the_run(self, derived: Any) -> None:
        """Two main agents of one trace are two runs."""
        derived.take(span(1, 1), agent(1, 2, 1), agent(1, 3, 2), agent(1, 4, 1))
        assert derived.rows("runs", "RunId", "Agents", "Depth") == [
            (f"{1:032x}-{name(2)}", 2, 2),
            (f"{1:032x}-{name(4)}", 1, 1),
        ]

    def test_running_until_its_agents_have_ended(self, derived: Any) -> None:
        """A started agent keeps its run running; its span ends both."""
        derived.take(starts=[start_event(1, 1, "agent", gen_ai__agent__name="lead")])
        assert derived.run("Status", "EndTime", "Name") == ("running", None, "lead")
        derived.take(agent(1, 1, gen_ai__agent__name="lead"))
        status, ended, _ = derived.run("Status", "EndTime", "Name")
        assert (status, ended is None) == ("ok", False)

    def test_background_agent_keeps_its_run_running(self, derived: Any) -> None:
        """A main agent that has ended before its sub-agent leaves the run running."""
        derived.take(agent(1, 1), starts=[start_event(1, 2, "agent", fleetspan__parent_span_id=name(1))])  # fmt: skip
        assert derived.run("Status", "Agents") == ("running", 2)

    def test_late_start_event_changes_nothing(self, derived: Any) -> None:
        """What has ended stays ended, whatever arrives later."""
        derived.take(agent(1, 1, failed=True))
        derived.take(starts=[start_event(1, 1, "agent")])
        assert derived.run("Status") == "error"
        assert derived.rows("agents", "Status", "Sources") == [
            ("error", ["span", "start"])
        ]

    def test_an_error_that_takes_all_with_it_counts_once(self, derived: Any) -> None:
        """A failed tool, its agent and the agents above are one error."""
        derived.take(
            agent(1, 1, failed=True),
            agent(1, 2, 1, failed=True),
            tool(1, 3, 2, failed=True),
        )
        assert derived.run("Errors", "Status") == (1, "error")

    def test_agent_that_fails_by_itself(self, derived: Any) -> None:
        """An agent's failure that no call explains is an error of its own."""
        derived.take(
            agent(1, 1, failed=True), tool(1, 2, 1), agent(1, 3, 1, failed=True)
        )
        assert derived.run("Errors", "Status") == (1, "error")

    def test_errors_that_were_overcome(self, derived: Any) -> None:
        """Failed calls and tools count, and the run that went on is ok."""
        derived.take(
            agent(1, 1),
            tool(1, 2, 1, fleetspan__success=False),
            tool(1, 3, 1, failed=True),
            call(1, 4, 1, error__type="overloaded", failed=True),
        )
        assert derived.run("Errors", "Status") == (3, "ok")

    def test_orphans_are_counted(self, derived: Any) -> None:
        """A span whose parent never came is an orphan, until it comes."""
        derived.take(agent(1, 2, 1), call(1, 3, 2))
        assert derived.run("OrphanSpans") == 1
        derived.take(span(1, 1))
        assert derived.run("OrphanSpans") == 0

    def test_labels_spread(self, derived: Any) -> None:
        """Session and user of the main agent are those of all that it did."""
        derived.take(
            agent(1, 1, gen_ai__conversation__id="s", user__id="u"),
            agent(1, 2, 1),
            call(1, 3, 2),
        )
        for table in ("runs", "agents", "llm_calls"):
            found = derived.rows(table, "SessionId", "User", "Environment", "Project")
            assert set(found) == {("s", "u", "test", "tests")}


class TestDamage:
    """Telemetry that cannot be as it is told."""

    def test_spans_in_a_circle(self, derived: Any) -> None:
        """Each of two agents that hang under each other still says who its parent is."""
        derived.take(agent(1, 1), agent(1, 2, 3), agent(1, 3, 2, at_ms=5))
        assert derived.rows("agents", "AgentId", "ParentAgentId") == [
            (name(1), None),
            (name(2), name(3)),
            (name(3), name(2)),
        ]


class TestActivations:
    """An agent that is set to work several times."""

    def test_it_ends_with_the_last(self, derived: Any) -> None:
        """It begins with the first report, and ends as the last one says."""
        derived.take(
            agent(1, 1, fleetspan__agent__id="lead", lasts_ms=9_000),
            agent(1, 2, 1, fleetspan__agent__id="scout", lasts_ms=100),
            agent(
                1,
                3,
                1,
                fleetspan__agent__id="scout",
                at_ms=500,
                lasts_ms=100,
                failed=True,
                error__type="timeout",
            ),
        )
        took = "dateDiff('ms', StartTime, EndTime)"
        assert derived.rows("agents", "AgentId", took, "Status", "Error") == [
            ("lead", 9_000, "ok", ""),
            ("scout", 600, "error", "timeout"),
        ]

    def test_at_work_again(self, derived: Any) -> None:
        """What has ended, and was begun once more, is at work."""
        derived.take(
            agent(1, 1, fleetspan__agent__id="lead"),
            agent(1, 2, 1, fleetspan__agent__id="scout", lasts_ms=100),
            starts=[
                start_event(
                    1,
                    3,
                    "agent",
                    at_ms=500,
                    fleetspan__agent__id="scout",
                    fleetspan__parent_span_id=name(1),
                )
            ],
        )
        assert derived.rows("agents", "AgentId", "EndTime IS NULL", "Status") == [
            ("lead", 0, "ok"),
            ("scout", 1, "running"),
        ]
