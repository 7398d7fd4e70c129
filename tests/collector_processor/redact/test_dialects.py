"""The content policy on what real packages of every dialect sent."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from fleetspan_collector._signals import Signal
from fleetspan_collector.dialects import dialects
from fleetspan_collector.redact._names import is_content

from ..dialects.recordings import load, names
from ..embedded import Embedded, embedded
from .guarding import Guard

SAID = (b"Lisbon", b"sunny")
"""Words of the recorded conversation: of its prompts, arguments, results and answers."""


def under(policy: str, name: str) -> ExportTraceServiceRequest:
    """Return a recording as it is after a policy."""
    payload = load(name).SerializeToString()
    clean = Guard(policy).apply(Signal.TRACES, payload)
    return ExportTraceServiceRequest.FromString(clean)


def test_what_the_dialects_call_content_is() -> None:
    """The row of a dialect's file is what the policy goes by."""
    for dialect in dialects().values():
        for name in dialect.content:
            whole = name.replace("*", "0.content")
            assert is_content(whole, in_message=False, in_claude_code=False), name


@pytest.mark.parametrize("policy", ["none", "metadata"])
@pytest.mark.parametrize("name", names())
def test_nothing_of_the_conversation_is_left(name: str, policy: str) -> None:
    """No word of what was said is in any field of the request."""
    left = under(policy, name).SerializeToString()
    assert [word for word in SAID if word in left] == []


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Every recording, with its content and without, each a tenant of its own."""
    with embedded(tmp_path_factory.mktemp("dialects")) as opened:
        windows = []
        for name in names():
            for policy in ("none", "full"):
                windows += opened.insert([under(policy, name)], f"{name}/{policy}")
        opened.derivation.derive(windows)
        yield opened


def facts(store: Embedded, tenant: str) -> list[list[dict[str, Any]]]:
    """Return what canonical rows say beside content."""
    calls = (
        "CallId, AgentId, Model, InputTokens, CacheReadTokens, CacheWriteTokens, "
        "OutputTokens, CostUsd, FinishReason, StartTime"
    )
    return [
        store.rows(table, f"Tenant = '{tenant}'", columns)
        for table, columns in (
            ("llm_calls", calls),
            ("tool_calls", "ToolCallId, AgentId, Tool, Success, StartTime"),
            ("agents", "AgentId, ParentAgentId, Name, Status"),
        )
    ]


@pytest.mark.integration
@pytest.mark.parametrize("name", names())
def test_facts_do_not_depend_on_content(store: Embedded, name: str) -> None:
    """Calls, tokens, costs, tools and agents are the same without content."""
    full = facts(store, f"{name}/full")
    assert any(full)
    assert facts(store, f"{name}/none") == full
