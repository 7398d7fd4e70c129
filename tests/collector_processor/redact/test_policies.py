"""The content policy: what goes, and that what the join needs stays."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from prometheus_client import CollectorRegistry

from fleetspan_collector._claude_inputs import ClaudeHook, TranscriptLines
from fleetspan_collector._signals import Signal
from fleetspan_collector.derive.normalise import Window
from fleetspan_collector.receivers import (
    Intake,
    OtlpHttpApp,
    ReceiverMetrics,
    ReceiverSettings,
)

from ..claude_code import captures
from ..claude_code.joining import found, known
from ..embedded import Embedded, embedded
from ..fleet import attributes, logs, span, traces, value
from .guarding import Guard

POLICIES = ("none", "metadata", "redacted", "full")
FEEDS = ("traces", "logs", "hooks", "transcripts")


def hook(policy: str, given: Any) -> Any:
    """Return what is left of a hook under a policy."""
    payload = ClaudeHook(body=json.dumps(given).encode()).SerializeToString()
    clean = Guard(policy).apply(Signal.CLAUDE_HOOKS, payload)
    return json.loads(ClaudeHook.FromString(clean).body)


def line(policy: str, given: Any) -> Any:
    """Return what is left of a line of a transcript under a policy."""
    body = json.dumps(given).encode()
    payload = TranscriptLines(path="/t.jsonl", offsets=[0], lines=body)
    clean = Guard(policy).apply(Signal.TRANSCRIPT_LINES, payload.SerializeToString())
    return json.loads(TranscriptLines.FromString(clean).lines)


POST_TOOL_USE = {
    "session_id": "s-1",
    "hook_event_name": "PostToolUse",
    "tool_name": "Agent",
    "tool_use_id": "toolu_1",
    "duration_ms": 12,
    "effort": {"level": "high"},
    "tool_input": {
        "subagent_type": "scout",
        "description": "look around",
        "run_in_background": True,
        "prompt": "find the treasure",
        "limit": 7,
    },
    "tool_response": {
        "status": "completed",
        "agentId": "a1",
        "agentType": "scout",
        "isAsync": False,
        "resolvedModel": "claude-opus-4-7",
        "totalTokens": 99,
        "usage": {"input_tokens": 3, "service_tier": "standard"},
        "content": [{"type": "text", "text": "the treasure"}],
        "prompt": "find the treasure",
    },
    "background_tasks": [
        {"id": "b1", "status": "running", "type": "agent", "command": "dig"}
    ],
    "last_assistant_message": "the treasure is here",
}


def test_none_removes_content_of_a_hook():
    """What people, models and tools said is gone; what the join reads is there."""
    assert hook("none", POST_TOOL_USE) == {
        "session_id": "s-1",
        "hook_event_name": "PostToolUse",
        "tool_name": "Agent",
        "tool_use_id": "toolu_1",
        "duration_ms": 12,
        "effort": {"level": "high"},
        "tool_input": {
            "subagent_type": "scout",
            "description": "look around",
            "run_in_background": True,
        },
        "tool_response": {
            "status": "completed",
            "agentId": "a1",
            "agentType": "scout",
            "isAsync": False,
            "resolvedModel": "claude-opus-4-7",
            "totalTokens": 99,
            "usage": {"input_tokens": 3, "service_tier": "standard"},
        },
        "background_tasks": [{"id": "b1", "status": "running", "type": "agent"}],
    }


def test_metadata_says_how_long_content_was():
    """A value is replaced by its length and a keyed hash: equal ones stay equal."""
    left = hook("metadata", POST_TOOL_USE)
    assert left["tool_input"]["prompt"].startswith("[content:17:")
    assert left["tool_input"]["prompt"] == left["tool_response"]["prompt"]
    assert left["last_assistant_message"].startswith("[content:20:")
    assert left["tool_response"]["content"].startswith("[content:")
    assert left["tool_response"]["agentId"] == "a1"
    assert "treasure" not in json.dumps(left)


@pytest.mark.parametrize("policy", ["redacted", "full"])
def test_other_policies_keep_content(policy):
    """Under them a hook without secrets is what it was."""
    assert hook(policy, POST_TOOL_USE) == POST_TOOL_USE


def test_full_redacts_nothing():
    """Whoever asks for everything gets it, secrets and all."""
    token = "gh" + "p_" + "A1b2C3d4E5f6" * 3
    given = {"hook_event_name": "UserPromptSubmit", "prompt": token}
    assert hook("full", given) == given
    assert token not in json.dumps(hook("redacted", given))


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ("UserPromptSubmit", "prompt"),
        ("MessageDisplay", "delta"),
        ("PostCompact", "compact_summary"),
        ("PreCompact", "custom_instructions"),
        ("Stop", "last_assistant_message"),
        ("StopFailure", "error_details"),
        ("TaskCreated", "task_description"),
        ("SessionStart", "session_title"),
        ("EventToCome", "said_by_somebody"),
    ],
)
def test_texts_that_are_not_known_to_be_harmless_are_content(event, field):
    """Fields of clients to come are not let through."""
    given = {"hook_event_name": event, "session_id": "s", field: "treasure", "n": 1}
    assert hook("none", given) == {"hook_event_name": event, "session_id": "s", "n": 1}
    assert hook("metadata", given)[field].startswith("[content:8:")


def test_a_batch_of_calls_keeps_names_and_ids():
    """Each call of a batch is treated as the hook of its own would be."""
    call = {"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {"command": "ls"}}
    left = hook("none", {"hook_event_name": "PostToolBatch", "tool_calls": [call]})
    assert left["tool_calls"] == [
        {"tool_name": "Bash", "tool_use_id": "t1", "tool_input": {}}
    ]


def test_a_prompt_that_the_client_wrote_is_known_as_one():
    """The join tells the client's own prompts from people's by how they begin."""
    given = {"hook_event_name": "UserPromptSubmit", "prompt": "<task-notification>dug"}
    assert hook("none", given)["prompt"] == "<task-notification>"
    assert hook("metadata", given)["prompt"].startswith("<task-notification>[content:")


def test_lines_of_transcripts():
    """Ids, models, usage and the kinds of blocks stay; what they say does not."""
    given: dict[str, Any] = {
        "type": "assistant",
        "uuid": "u",
        "sessionId": "s",
        "requestId": "req_1",
        "timestamp": "2026-11-22T00:00:00Z",
        "message": {
            "id": "msg_1",
            "model": "claude-opus-4-7",
            "role": "assistant",
            "stop_reason": "tool_use",
            "usage": {
                "input_tokens": 3,
                "cache_creation": {"ephemeral_5m_input_tokens": 2},
            },
            "content": [
                {"type": "text", "text": "treasure"},
                {"type": "thinking", "thinking": "treasure", "signature": "x"},
                {
                    "type": "tool_use",
                    "id": "t1",
                    "name": "Bash",
                    "input": {"command": "dig"},
                },
            ],
        },
        "toolUseResult": {"stdout": "treasure", "agentId": "a1", "status": "completed"},
        "lastPrompt": "treasure",
        "attachment": {"type": "hook", "content": "treasure"},
    }
    left = line("none", given)
    assert left["message"] == {
        **{name: given["message"][name] for name in ("id", "model", "role", "usage")},
        "stop_reason": "tool_use",
        "content": [
            {"type": "text"},
            {"type": "thinking"},
            {"type": "tool_use", "id": "t1", "name": "Bash"},
        ],
    }
    assert left["toolUseResult"] == {"agentId": "a1", "status": "completed"}
    assert left["attachment"] == {"type": "hook"}
    assert "treasure" not in json.dumps(left)
    blocks = line("metadata", given)["message"]["content"]
    assert blocks[0]["text"].startswith("[content:8:")
    assert blocks[2]["input"].startswith("[content:")


@pytest.mark.parametrize("policy", ["none", "metadata"])
def test_lines_that_cannot_be_read_are_content_and_stay_lines(policy):
    """Of what is no object nothing is kept but that it was there, line by line."""
    lines = b'{"type":"user","message":{"content":"treasure"}}\ntreasure, torn {"a":\n7'
    payload = TranscriptLines(path="/t", offsets=[0, 50, 70], lines=lines)
    clean = Guard(policy).apply(Signal.TRANSCRIPT_LINES, payload.SerializeToString())
    made = TranscriptLines.FromString(clean)
    assert b"treasure" not in made.lines
    assert made.lines.count(b"\n") == 2
    assert [json.loads(each) is not None for each in made.lines.split(b"\n")]
    assert list(made.offsets) == [0, 50, 70]


def test_attributes_of_dialects():
    """Content by its name in any dialect goes; names, ids, models and counts stay."""
    kept = {
        "gen_ai.request.model": "claude-opus-4-7",
        "gen_ai.usage.input_tokens": 3,
        "gen_ai.tool.name": "Bash",
        "gen_ai.prompt.0.role": "user",
        "llm.output_messages.0.message.tool_calls.0.tool_call.id": "t1",
        "fleetspan.tool.arguments_hash": "0123456789abcdef",
        "response": "a word that means something else elsewhere",
    }
    gone = {
        "gen_ai.input.messages": "treasure",
        "gen_ai.prompt.0.content": "treasure",
        "llm.input_messages.0.message.content": "treasure",
        "input.value": "treasure",
        "traceloop.entity.output": "treasure",
        "ai.prompt.messages": "treasure",
        "langfuse.observation.input": "treasure",
        "all_messages_events": "treasure",
        "gcp.vertex.agent.llm_request": "treasure",
        "gen_ai.tool.call.arguments": {"a": "treasure"},
        "fleetspan.agent.task": "treasure",
    }
    made = span(1, 1)
    made.attributes.extend(attributes(kept | gone))
    made.events.add(
        name="gen_ai.user.message",
        attributes=attributes({"content": "treasure", "id": "i"}),
    )
    payload = traces([made]).SerializeToString()
    clean = Guard("none").apply(Signal.TRACES, payload)
    (left,) = (
        ExportTraceServiceRequest.FromString(clean)
        .resource_spans[0]
        .scope_spans[0]
        .spans
    )
    assert {each.key for each in left.attributes} == kept.keys()
    assert [each.key for each in left.events[0].attributes] == ["id"]
    guard = Guard("metadata")
    clean = guard.apply(Signal.TRACES, payload)
    (left,) = (
        ExportTraceServiceRequest.FromString(clean)
        .resource_spans[0]
        .scope_spans[0]
        .spans
    )
    shown = {each.key: each.value.string_value for each in left.attributes}
    assert shown["gen_ai.input.messages"].startswith("[content:8:")
    assert b"treasure" not in clean
    assert guard.counted("content_values") == len(gone) + 1


def test_log_events_that_are_messages():
    """Their bodies are content; those of other log records are not."""
    said = LogRecord(event_name="gen_ai.choice", body=value({"message": "treasure"}))
    other = LogRecord(event_name="app.started", body=value("an ordinary line"))
    payload = logs([said, other]).SerializeToString()
    for policy, body in (("none", ""), ("metadata", "[content:")):
        clean = Guard(policy).apply(Signal.LOGS, payload)
        first, second = (
            ExportLogsServiceRequest.FromString(clean)
            .resource_logs[0]
            .scope_logs[0]
            .log_records
        )
        assert first.body.string_value.startswith(body)
        assert b"treasure" not in clean
        assert second.body.string_value == "an ordinary line"


def test_what_a_row_shows_of_a_large_body_is_made_anew():
    """A secret past the cut of what is shown is in neither form, and nor is its half."""
    token = "sk-" + "ant-api03-" + "Ab1_" * 20
    text = "x" * 65_500 + token + "y" * 2_000_000
    body = json.dumps({"hook_event_name": "Stop", "last_assistant_message": text})
    payload = ClaudeHook(body=body.encode(), shown=body[:65_540].encode())
    clean = Guard().apply(Signal.CLAUDE_HOOKS, payload.SerializeToString())
    assert b"sk-ant" not in clean
    made = ClaudeHook.FromString(clean)
    assert len(made.shown) < 1 << 20
    assert json.loads(made.shown)["hook_event_name"] == "Stop"


def _take(
    store: Embedded, tenant: str, policy: str, given: list[captures.Delivery]
) -> None:
    intake = Intake(
        captures.Forgetful(store.journal),
        ReceiverSettings(),
        ReceiverMetrics(CollectorRegistry()),
        tenant_of=lambda headers: tenant,
        protection=Guard(policy).protection,
    )
    asyncio.run(captures.post_all(OtlpHttpApp(intake), given))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Every capture under every policy, each feed a tenant of its own."""
    with embedded(tmp_path_factory.mktemp("policies")) as opened:
        for name in ("tree", "resume"):
            for policy in POLICIES:
                for feed in FEEDS:
                    given = captures.deliveries(name, feed)
                    _take(opened, f"{name}/{feed}/{policy}", policy, given)
        opened.journal.seal()
        windows = []
        for segment in opened.journal.sealed():
            opened.writer.insert(segment)
            opened.journal.remove(segment)
            windows.append(Window.of_batches(segment.signal, [segment.batch_id]))
        opened.derivation.derive(windows)
        yield opened


@pytest.mark.integration
@pytest.mark.parametrize("policy", ["none", "metadata", "redacted"])
@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("name", ["tree", "resume"])
def test_every_feed_tells_the_same_facts_under_every_policy(store, name, feed, policy):
    """Agents, parents, calls, tokens, costs and tools do not depend on content."""
    full = known(found(store, f"{name}/{feed}/full"))
    assert full
    assert known(found(store, f"{name}/{feed}/{policy}")) == full


@pytest.mark.integration
@pytest.mark.parametrize("name", ["tree", "resume"])
def test_no_prompt_is_in_the_store_under_none(store, name):
    """What was asked of the agents is nowhere, nor is it under metadata."""
    prompts = "position({column}, 'SCRIPT-') > 0"
    columns = {
        "claude_hooks": "Body",
        "claude_transcript_lines": "Body",
        "otel_logs": "toString(LogAttributes)",
        "otel_traces": "toString(SpanAttributes)",
        "agents": "ifNull(Task, '')",
    }
    hits = {
        policy: sum(
            int(row["n"])
            for table, column in columns.items()
            for row in store.rows(
                table,
                f"Tenant LIKE '{name}/%/{policy}' AND {prompts.format(column=column)}",
                "count() AS n",
            )
        )
        for policy in POLICIES
    }
    assert (hits["none"], hits["metadata"]) == (0, 0)
    assert hits["redacted"] == hits["full"] > 10
