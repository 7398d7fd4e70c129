"""What runs, agents, llm calls and tool calls record."""

from __future__ import annotations

import asyncio

import pytest

import fleetspan
from fleetspan.testing import Recorded, capture


def test_a_run_is_a_container_of_agents_and_calls(recorded: Recorded) -> None:
    """Spans nest as their blocks do, and are named by the conventions."""
    with (
        fleetspan.run("nightly"),
        fleetspan.agent("main"),
    ):
        with fleetspan.llm("claude-sonnet-4-5"):
            pass
        with fleetspan.tool("Task"), fleetspan.agent("sub"):
            pass
    assert recorded.tree() == (
        "invoke_workflow nightly\n"
        "  invoke_agent main\n"
        "    chat claude-sonnet-4-5\n"
        "    execute_tool Task\n"
        "      invoke_agent sub"
    )
    assert [span["kind"] for span in recorded.spans()] == [
        "internal",
        "internal",
        "client",
        "internal",
        "internal",
    ]


def test_every_span_says_whose_it_is(recorded: Recorded) -> None:
    """Run, session, agent and user are on every span inside."""
    with fleetspan.run("r", session="s-1", user="ann"), fleetspan.agent("main"):
        with fleetspan.llm("m"):
            pass
        with fleetspan.tool("Read"):
            pass
    _, agent, llm, tool = [span["attributes"] for span in recorded.spans()]
    shared = {
        "fleetspan.run.id": "0000000000000001",
        "gen_ai.conversation.id": "s-1",
        "fleetspan.agent.id": "0000000000000002",
        "gen_ai.agent.name": "main",
        "user.id": "ann",
    }
    for attributes in (agent, llm, tool):
        assert {name: attributes[name] for name in shared} == shared
    assert "fleetspan.agent.parent_id" not in agent


def test_a_nested_agent_names_its_parent_and_the_tool_call_that_started_it(
    recorded: Recorded,
) -> None:
    """The parent is the agent at work, whatever spans are in between."""
    with (
        fleetspan.agent("main"),
        fleetspan.tool("Task", call_id="toolu_1"),
        fleetspan.agent("sub", type="search", background=True),
    ):
        pass
    sub = recorded.spans()[2]["attributes"]
    assert sub == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "sub",
        "fleetspan.run.id": "0000000000000001",
        "fleetspan.agent.id": "0000000000000003",
        "fleetspan.agent.parent_id": "0000000000000001",
        "fleetspan.agent.type": "search",
        "fleetspan.spawn.tool_call_id": "toolu_1",
        "fleetspan.background": True,
    }


def test_an_agent_with_no_run_around_it_is_the_run(recorded: Recorded) -> None:
    """Its id is the run's id; an id that the user gave is kept."""
    with fleetspan.agent("main", id="a-7") as agent:
        assert (agent.run_id, agent.agent_id) == ("a-7", "a-7")
    assert recorded.spans()[0]["attributes"]["fleetspan.run.id"] == "a-7"


def test_a_lone_call_has_its_trace_for_a_run(recorded: Recorded) -> None:
    """With neither run nor agent around it, the run id is the trace id."""
    with fleetspan.llm("m"):
        pass
    (span,) = recorded.spans()
    assert span["attributes"]["fleetspan.run.id"] == span["trace_id"]


def test_input_tokens_are_given_without_and_written_with_cached_ones(
    recorded: Recorded,
) -> None:
    """The conventions' input includes cache reads and writes; ours excludes them."""
    with fleetspan.llm("m") as call:
        call.usage(
            input_tokens=100,
            cache_read_tokens=1000,
            cache_write_5m_tokens=20,
            cache_write_1h_tokens=30,
            output_tokens=7,
            reasoning_tokens=3,
        )
    written = recorded.spans()[0]["attributes"]
    usage = {name: n for name, n in written.items() if "usage" in name}
    assert usage == {
        "gen_ai.usage.input_tokens": 1150,
        "gen_ai.usage.output_tokens": 7,
        "gen_ai.usage.cache_read.input_tokens": 1000,
        "gen_ai.usage.cache_write.input_tokens": 50,
        "gen_ai.usage.cache_creation.input_tokens": 50,
        "fleetspan.usage.cache_write_5m.input_tokens": 20,
        "fleetspan.usage.cache_write_1h.input_tokens": 30,
        "gen_ai.usage.reasoning.output_tokens": 3,
    }


def test_unknown_usage_is_not_zero_and_the_last_report_wins(recorded: Recorded) -> None:
    """What is not given is not written; a second report replaces the first."""
    with fleetspan.llm("m") as call:
        call.usage(input_tokens=1, output_tokens=1, reasoning_tokens=1)
        call.usage(output_tokens=5)
    written = recorded.spans()[0]["attributes"]
    usage = {name: n for name, n in written.items() if "usage" in name}
    assert usage == {"gen_ai.usage.output_tokens": 5}


def test_bad_usage_is_logged_once_and_left_out(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """A number that cannot be one of tokens costs neither the others nor the program."""
    for _ in range(3):
        with fleetspan.llm("m") as call:
            call.usage(input_tokens=-1, output_tokens="7", cache_read_tokens=2)  # type: ignore[arg-type]
    usage = [
        {name: n for name, n in span["attributes"].items() if "usage" in name}
        for span in recorded.spans()
    ]
    assert usage == [{"gen_ai.usage.cache_read.input_tokens": 2}] * 3
    assert [record.getMessage() for record in caplog.records] == [
        (
            "usage.input_tokens: left out, got '-1', expected a whole number, 0 or more "
            "(logged once)"
        ),
        (
            "usage.output_tokens: left out, got '7', expected a whole number, 0 or more "
            "(logged once)"
        ),
    ]


def test_an_answer_is_recorded(recorded: Recorded) -> None:
    """Cost, model, id, finish reasons, attempts and the time to the first token."""
    with fleetspan.llm("claude", provider="anthropic", operation="chat") as call:
        call.first_token()
        call.first_token()
        call.cost(0.25)
        call.attempts(2)
        call.response(model="claude-1", id="msg_1", finish_reason="end_turn")
    assert recorded.spans()[0]["attributes"] == {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "claude",
        "gen_ai.provider.name": "anthropic",
        "gen_ai.system": "anthropic",
        "fleetspan.run.id": "00000000000000000000000000000001",
        "gen_ai.response.time_to_first_chunk": 1.0,
        "fleetspan.cost.usd": 0.25,
        "fleetspan.attempts": 2,
        "gen_ai.response.model": "claude-1",
        "gen_ai.response.id": "msg_1",
        "gen_ai.response.finish_reasons": ["end_turn"],
    }


def test_the_latest_conventions_alone_on_request() -> None:
    """With semconv="latest" no name of the old generation is written."""
    with (
        capture(semconv="latest") as recorded,
        fleetspan.llm("m", provider="p") as call,
    ):
        call.usage(input_tokens=1, cache_write_5m_tokens=1)
    written = recorded.spans()[0]["attributes"]
    assert "gen_ai.system" not in written
    assert "gen_ai.usage.cache_creation.input_tokens" not in written
    assert not {"gen_ai.client.token.usage", "gen_ai.client.operation.duration"} & set(
        recorded.metrics()
    )


def test_a_tool_records_hashes_and_sizes_not_content(recorded: Recorded) -> None:
    """Arguments and result are hashed; the same arguments in another order hash alike."""
    for arguments in ({"b": 1, "a": "x"}, {"a": "x", "b": 1}):
        with fleetspan.tool("Read", call_id="t1", arguments=arguments) as call:
            call.result("hello")
            call.permission_wait(12)
    first, second = [span["attributes"] for span in recorded.spans()]
    assert first == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "Read",
        "gen_ai.tool.call.id": "t1",
        "fleetspan.tool.arguments_hash": "cdab067e9f3beb32d1252cfd63e49259",
        "fleetspan.run.id": "00000000000000000000000000000001",
        "fleetspan.tool.result_hash": "2cf24dba5fb0a30e26e83b2ac5b9e29e",
        "fleetspan.tool.result_bytes": 5,
        "fleetspan.permission_wait_ms": 12.0,
        "fleetspan.success": True,
    }
    assert (
        second["fleetspan.tool.arguments_hash"]
        == first["fleetspan.tool.arguments_hash"]
    )


CONTENT = {
    "fleetspan.agent.task",
    "fleetspan.agent.result",
    "gen_ai.input.messages",
    "gen_ai.system_instructions",
    "gen_ai.output.messages",
    "gen_ai.tool.call.arguments",
    "gen_ai.tool.call.result",
    "fleetspan.file_operation.diff",
}


@pytest.mark.parametrize(
    ("capture_content", "expected"), [(False, set()), (True, CONTENT)]
)
def test_content_is_recorded_only_on_request(
    capture_content: bool, expected: set[str]
) -> None:
    """Prompts, answers, arguments, results, tasks and diffs need capture_content."""
    with (
        capture(capture_content=capture_content) as recorded,
        fleetspan.agent("a", task="secret task") as agent,
    ):
        with fleetspan.llm("m") as call:
            call.input([{"role": "user"}], system="secret")
            call.output("secret")
        with fleetspan.tool("t", arguments={"k": "secret"}) as tool:
            tool.result("secret")
        agent.file_operation("modify", "a.py", diff="+secret")
        agent.outcome("completed", result="secret")
    found = set()
    for span in recorded.spans():
        found |= set(span["attributes"])
        for event in span["events"]:
            found |= set(event["attributes"])
    assert found & CONTENT == expected
    assert ("secret" in repr(recorded.spans())) == capture_content


def test_an_error_is_recorded_and_raised_untouched(recorded: Recorded) -> None:
    """The exception marks every span that it leaves and reaches the caller as it is."""
    mine = ValueError("no such file")
    with (
        pytest.raises(ValueError, match="no such file") as raised,
        fleetspan.agent("a"),
        fleetspan.tool("t"),
    ):
        raise mine
    assert raised.value is mine
    for span in recorded.spans():
        assert span["status"] == "error"
        assert span["status_description"] == "ValueError: no such file"
        assert span["attributes"]["error.type"] == "ValueError"
        assert [event["name"] for event in span["events"]] == ["exception"]
    assert recorded.spans()[1]["attributes"]["fleetspan.success"] is False


@pytest.mark.parametrize("kind", [KeyboardInterrupt, asyncio.CancelledError])
def test_an_interruption_passes_and_marks_the_span(
    recorded: Recorded, kind: type[BaseException]
) -> None:
    """What is not an Exception passes too, and the span says that it did not end well."""
    with pytest.raises(kind), fleetspan.agent("a"):
        raise kind
    (span,) = recorded.spans()
    assert span["status"] == "error"
    assert span["events"] == []


def test_a_successful_exit_is_not_an_error(recorded: Recorded) -> None:
    """sys.exit(0) leaves the span as it is; sys.exit(1) marks it."""
    for code in (0, 1):
        with pytest.raises(SystemExit), fleetspan.agent("a"):
            raise SystemExit(code)
    assert [span["status"] for span in recorded.spans()] == ["unset", "error"]


def test_failure_without_an_exception(recorded: Recorded) -> None:
    """fail() marks a span, and a tool's success may be said apart."""
    with fleetspan.tool("t") as call:
        call.fail("timeout", "after 30 s")
    with fleetspan.tool("u") as call:
        call.result("partial", success=False)
    first, second = recorded.spans()
    assert (first["status"], first["status_description"]) == (
        "error",
        "timeout: after 30 s",
    )
    assert first["attributes"]["fleetspan.success"] is False
    assert (second["status"], second["attributes"]["fleetspan.success"]) == (
        "unset",
        False,
    )


def test_what_comes_after_the_end_is_logged_and_dropped(
    recorded: Recorded, caplog: pytest.LogCaptureFixture
) -> None:
    """Recording on an activity that is over changes nothing and does not raise."""
    with fleetspan.llm("m") as call:
        pass
    call.usage(output_tokens=1)
    call.set("x", 1)
    call.decision("late?")
    assert "gen_ai.usage.output_tokens" not in recorded.spans()[0]["attributes"]
    assert "llm usage: recorded nothing: the llm has ended (logged once)" in caplog.text


def test_start_and_end_for_callbacks(recorded: Recorded) -> None:
    """start() does not become current; the parent and the times can be said."""
    run = fleetspan.run("r").start(at_ns=1_767_225_600_000_000_000)
    agent = fleetspan.agent("a").start(parent=run)
    assert fleetspan.current_agent() is None
    agent.end(error=TimeoutError("slow"))
    run.end(at_ns=1_767_225_660_000_000_000)
    run.end()
    first, second = recorded.spans()
    assert (first["start_s"], first["end_s"]) == (0.0, 60.0)
    assert second["parent_id"] == first["span_id"]
    assert second["attributes"]["error.type"] == "TimeoutError"


def test_a_clock_that_was_set_back_does_not_end_a_span_before_its_start(
    recorded: Recorded,
) -> None:
    """An end before the start is moved to the start."""
    agent = fleetspan.agent("a").start(at_ns=1_767_225_700_000_000_000)
    agent.end(at_ns=1_767_225_600_000_000_000)
    (span,) = recorded.spans()
    assert span["start_s"] == span["end_s"] == 100.0


def test_starts_are_told_at_once(recorded: Recorded) -> None:
    """Runs, agents and tools send a log event in the context of the span just started."""
    with fleetspan.run("r"), fleetspan.agent("a"):
        with fleetspan.llm("m"):
            pass
        with fleetspan.tool("t", call_id="c"):
            pass
    assert recorded.start_events()[2] == {
        "event": "fleetspan.tool.start",
        "trace_id": "00000000000000000000000000000001",
        "span_id": "0000000000000004",
        "attributes": {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "t",
            "gen_ai.tool.call.id": "c",
            "fleetspan.run.id": "0000000000000001",
            "fleetspan.agent.id": "0000000000000002",
            "gen_ai.agent.name": "a",
            "fleetspan.parent_span_id": "0000000000000002",
        },
    }
    assert [each["event"] for each in recorded.start_events()] == [
        "fleetspan.run.start",
        "fleetspan.agent.start",
        "fleetspan.tool.start",
    ]


def test_a_session_found_out_late_is_inherited_from_then_on(recorded: Recorded) -> None:
    """set_session() reaches this span and what starts inside it later."""
    with fleetspan.agent("a") as agent:
        agent.set_session("s-9")
        with fleetspan.llm("m"):
            pass
    sessions = [
        span["attributes"]["gen_ai.conversation.id"] for span in recorded.spans()
    ]
    assert sessions == ["s-9", "s-9"]
