"""What names mean where conventions differ, and which of several names holds."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.fleet import span, traces

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store for the module; each test has a tenant of its own in it."""
    with embedded(tmp_path_factory.mktemp("rules")) as store:
        yield store


def _of_scope(scope: str, *spans: Span) -> ExportTraceServiceRequest:
    request = traces(spans)
    request.resource_spans[0].scope_spans[0].scope.name = scope
    return request


def _evidence(store: Embedded, tenant: str, columns: str) -> list[dict[str, Any]]:
    return store.rows("evidence", f"Tenant = '{tenant}'", f"Key, {columns}")


def _one(store: Embedded, tenant: str, columns: str, **given: Any) -> dict[str, Any]:
    """Evidence of one span that is sent."""
    scope = given.pop("scope", "tests")
    store.take(_of_scope(scope, span(1, 1, **given)), tenant=tenant)
    (row,) = _evidence(store, tenant, columns)
    return row


def test_the_best_name_holds_whatever_the_order_of_attributes(store: Embedded) -> None:
    """Names of one fact have ranks; where a span has several, the first in rank holds."""
    ranked: dict[str, Any] = {
        "gen_ai__usage__input_tokens": 100,
        "gen_ai__usage__prompt_tokens": 200,
        "llm__token_count__prompt": 300,
        "gen_ai__operation__name": "chat",
        "openinference__span__kind": "TOOL",
        "gen_ai__response__model": "answered",
        "gen_ai__request__model": "asked",
        "llm__model_name": "other",
    }
    backwards: dict[str, Any] = dict(reversed(ranked.items()))
    store.take(traces([span(1, 1, **ranked), span(2, 2, **backwards)]), tenant="rank")
    rows = _evidence(store, "rank", "Kind, InputTokens, Model")
    assert [(r["Kind"], r["InputTokens"], r["Model"]) for r in rows] == [
        ("call", 100, "answered"),
        ("call", 100, "answered"),
    ]


def test_an_empty_attribute_says_nothing(store: Embedded) -> None:
    """A better name without a value does not hide a worse one that has one."""
    row = _one(
        store,
        "empty",
        "Model, User",
        gen_ai__response__model="",
        gen_ai__request__model="asked",
        user__id="",
        langfuse__user__id="user-1",
    )
    assert (row["Model"], row["User"]) == ("asked", "user-1")


def test_what_is_no_number_is_unknown(store: Embedded) -> None:
    """Text where a number belongs is no usage, and not zero."""
    row = _one(
        store,
        "text",
        "UsageKnown, ReportedCostUsd, TimeToFirstTokenMs",
        gen_ai__operation__name="chat",
        gen_ai__usage__input_tokens="NaN",
        gen_ai__usage__cost="free",
        gen_ai__response__time_to_first_chunk="soon",
    )
    assert row == {
        "Key": f"{1:016x}",
        "UsageKnown": 0,
        "ReportedCostUsd": None,
        "TimeToFirstTokenMs": None,
    }


@pytest.mark.parametrize(
    ("tenant", "scope", "provider", "input_tokens"),
    [
        ("plain", "tests", "anthropic", 400),
        ("framework", "agent_framework", "anthropic", 1500),
        ("framework-openai", "agent_framework", "openai", 400),
        ("openlit", "openlit.instrumentation.anthropic", "anthropic", 1500),
    ],
)
def test_some_pass_on_input_that_excludes_cached_tokens(
    store: Embedded, tenant: str, scope: str, provider: str, input_tokens: int
) -> None:
    """Under the same name: who excludes cached tokens is known by scope and provider."""
    row = _one(
        store,
        tenant,
        "InputTokens, CacheReadTokens, CacheWriteTokens",
        scope=scope,
        gen_ai__operation__name="chat",
        gen_ai__provider__name=provider,
        gen_ai__usage__input_tokens=1500,
        gen_ai__usage__cache_read__input_tokens=1000,
        gen_ai__usage__cache_creation__input_tokens=100,
    )
    assert row["InputTokens"] == input_tokens
    assert (row["CacheReadTokens"], row["CacheWriteTokens"]) == (1000, 100)


def test_kinds_of_usage_that_exclude_each_other_are_added_up(store: Embedded) -> None:
    """Langfuse's own kinds: output has reasoning beside it, writes come by lifetime."""
    details = (
        '{"input": 7, "output": 30, "output_reasoning_tokens": 12, "input_cached_tokens":'
        ' 5, "input_cache_creation_5m": 3, "input_cache_creation_1h": 4, "total": 61}'
    )
    row = _one(
        store,
        "langfuse",
        "Kind, InputTokens, CacheReadTokens, CacheWriteTokens, CacheWrite5mTokens,"
        " CacheWrite1hTokens, OutputTokens, ReasoningTokens, ReportedCostUsd",
        langfuse__observation__type="generation",
        langfuse__observation__usage_details=details,
        langfuse__observation__cost_details='{"input": 0.5, "total": 0.75}',
    )
    assert row == {
        "Key": f"{1:016x}",
        "Kind": "call",
        "InputTokens": 7,
        "CacheReadTokens": 5,
        "CacheWriteTokens": 7,
        "CacheWrite5mTokens": 3,
        "CacheWrite1hTokens": 4,
        "OutputTokens": 42,
        "ReasoningTokens": 12,
        "ReportedCostUsd": 0.75,
    }


def test_json_that_is_none_is_unknown(store: Embedded) -> None:
    """An attribute that should hold JSON and does not costs nothing but itself."""
    row = _one(
        store,
        "no-json",
        "UsageKnown, Model",
        langfuse__observation__type="generation",
        langfuse__observation__usage_details='{"input": 7, "out',
        langfuse__observation__model__name="some-model",
    )
    assert (row["UsageKnown"], row["Model"]) == (0, "some-model")


def test_costs_of_every_name(store: Embedded) -> None:
    """What the source says it cost; 0 is unknown where that name says so."""
    names: dict[str, Any] = {
        "fleetspan__cost__usd": 0.0,
        "gen_ai__usage__cost": 0.0,
        "llm__cost__total": 0.25,
        "operation__cost": 0.5,
    }
    spans = [span(1, n, **{k: v}) for n, (k, v) in enumerate(names.items(), start=1)]
    spans.append(span(1, 5, gen_ai__usage__cost=1.5))
    store.take(traces(spans), tenant="cost")
    rows = _evidence(store, "cost", "ReportedCostUsd")
    assert [row["ReportedCostUsd"] for row in rows] == [0.0, None, 0.25, 0.5, 1.5]


def test_times_to_first_token_have_one_unit(store: Embedded) -> None:
    """Seconds, milliseconds, and a time; Strands has milliseconds where seconds belong."""
    first = "2026-03-04T10:00:00.250Z"
    start_ns = 1_772_618_400_000_000_000
    store.take(
        traces(
            [
                span(1, 1, gen_ai__response__time_to_first_chunk=0.25),
                span(1, 2, ai__response__msToFirstChunk=250),
                span(1, 3, gen_ai__server__time_to_first_token=0.25),
                span(
                    1,
                    4,
                    start_ns=start_ns,
                    langfuse__observation__completion_start_time=f'"{first}"',
                ),
            ]
        ),
        _of_scope(
            "strands.telemetry.tracer",
            span(1, 5, gen_ai__server__time_to_first_token=250),
        ),
        tenant="first",
    )
    rows = _evidence(store, "first", "TimeToFirstTokenMs")
    assert [row["TimeToFirstTokenMs"] for row in rows] == [250.0] * 5


def test_a_failure_is_told_by_status_or_level(store: Embedded) -> None:
    """Langfuse has a level; a tool that says it failed has, whatever its status."""
    store.take(
        traces(
            [
                span(
                    1,
                    1,
                    langfuse__observation__type="generation",
                    langfuse__observation__level="ERROR",
                    langfuse__observation__status_message="too many requests",
                ),
                span(1, 2, gen_ai__operation__name="execute_tool"),
                span(
                    1,
                    3,
                    gen_ai__operation__name="execute_tool",
                    gen_ai__tool__status="error",
                ),
                span(1, 4, failed=True, openinference__span__kind="TOOL"),
            ]
        ),
        tenant="failed",
    )
    rows = _evidence(store, "failed", "Status, Error, Success")
    assert [(r["Status"], r["Error"], r["Success"]) for r in rows] == [
        ("error", "too many requests", None),
        ("ok", "", 1),
        ("ok", "", 0),
        ("error", "error", 0),
    ]


def test_a_framework_is_no_provider(store: Embedded) -> None:
    """Where the name of the provider is the framework's own, the provider is unknown."""
    stated = ("strands-agents", "openai.responses", "gcp.vertex_ai", "aws.bedrock")
    spans = [span(1, n, gen_ai__system=s) for n, s in enumerate(stated, start=1)]
    store.take(traces(spans), tenant="provider")
    rows = _evidence(store, "provider", "Provider")
    found = [row["Provider"] for row in rows]
    assert found == ["", "openai", "gcp.vertex_ai", "aws.bedrock"]


def test_a_lifetime_that_is_not_named_has_the_rest(store: Embedded) -> None:
    """Of 400 tokens written, 100 for an hour: the others are kept for five minutes."""
    row = _one(
        store,
        "lifetime",
        "CacheWrite5mTokens, CacheWrite1hTokens",
        gen_ai__usage__input_tokens=1600,
        gen_ai__usage__cache_creation__input_tokens=400,
        gen_ai__usage__details__ephemeral_1h_input_tokens=100,
    )
    assert (row["CacheWrite5mTokens"], row["CacheWrite1hTokens"]) == (300, 100)


def test_claude_codes_own_spans_are_read_elsewhere(store: Embedded) -> None:
    """Its tracing scope has a statement of its own."""
    store.take(
        _of_scope(
            "com.anthropic.claude_code.tracing",
            span(1, 1, gen_ai__operation__name="chat"),
        ),
        tenant="claude",
    )
    sources = {row["Source"] for row in _evidence(store, "claude", "Source")}
    assert "span" not in sources
