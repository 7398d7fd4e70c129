"""One request, told of by Claude Code, by the SDK and by the provider, is one call."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, MutableSequence

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.collector_processor.claude_code import captures
from tests.collector_processor.claude_code.captures import Delivery
from tests.collector_processor.claude_code.joining import (
    found,
    known,
    take_apart,
    truth,
)
from tests.collector_processor.embedded import Embedded, embedded


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Embedded]:
    """Open a store for this module."""
    with embedded(tmp_path_factory.mktemp("layers")) as opened:
        yield opened


def _attributes(span: Span) -> dict[str, str]:
    return {
        each.key: each.value.string_value or str(each.value.int_value)
        for each in span.attributes
    }


def _layers(given: list[Delivery]) -> Delivery:
    """Return what SDK and provider would have reported of the requests in traces."""
    request = ExportTraceServiceRequest()
    sdk = request.resource_spans.add()
    provider = request.resource_spans.add()
    _set(provider.resource.attributes, {"service.name": "claude-platform"})
    for each in given:
        for span in _spans(each):
            if span.name != "claude_code.llm_request":
                continue
            told = _attributes(span)
            usage: dict[str, str | int] = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "anthropic",
                "gen_ai.request.model": told["model"],
                "anthropic.request.id": told["request_id"],
                "gen_ai.usage.input_tokens": int(told["input_tokens"])
                + int(told["cache_read_tokens"])
                + int(told["cache_creation_tokens"]),
                "gen_ai.usage.output_tokens": int(told["output_tokens"]),
                "gen_ai.usage.cache_read.input_tokens": int(told["cache_read_tokens"]),
                "gen_ai.usage.cache_creation.input_tokens": int(
                    told["cache_creation_tokens"]
                ),
            }
            for side, parent, mark in (
                # Beside the client's span, as one that lost its context would be.
                (sdk, span.parent_span_id, b"s"),
                (provider, span.span_id, b"p"),
            ):
                made = side.scope_spans.add().spans.add()
                made.CopyFrom(span)
                made.name = "anthropic.messages.create"
                made.span_id = mark + span.span_id[1:]
                made.parent_span_id = parent
                del made.attributes[:]
                _set(made.attributes, usage)
    return Delivery(
        feed="traces",
        path="/v1/traces",
        headers={"content-type": "application/x-protobuf"},
        body=request.SerializeToString(),
    )


def _spans(given: Delivery) -> Iterator[Span]:
    request = ExportTraceServiceRequest.FromString(given.body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            yield from scope.spans


def _set(
    attributes: MutableSequence[KeyValue], values: Mapping[str, str | int]
) -> None:
    for key, value in values.items():
        given = (
            AnyValue(string_value=value)
            if isinstance(value, str)
            else AnyValue(int_value=value)
        )
        attributes.append(KeyValue(key=key, value=given))


@pytest.mark.parametrize("layers_come", ["first", "last"])
@pytest.mark.parametrize("feeds", [("traces",), ("traces", "logs", "transcripts")])
def test_layers_around_claude_code_count_once(
    store: Embedded, feeds: tuple[str, ...], layers_come: str
) -> None:
    """Whatever else reports a request, its call is Claude Code's, once, in one run."""
    tenant = f"{'+'.join(feeds)} {layers_come}"
    given = captures.deliveries("tree", *feeds)
    layers = _layers(captures.deliveries("tree", "traces"))
    parts = [[layers], given] if layers_come == "first" else [given, [layers]]
    for part in parts:
        take_apart(store, {tenant: part})
    told, true = known(found(store, tenant)), truth("tree")
    calls = {key: value for key, value in told.items() if key[0] == "call"}
    assert calls.keys() <= true.keys()
    assert {key[1] for key in calls} == {key[1] for key in true if key[0] == "call"}
    for field in ("agent", "InputTokens", "CacheReadTokens", "OutputTokens"):
        assert {k: v for k, v in calls.items() if k[2] == field} == {
            k: v for k, v in true.items() if k[0] == "call" and k[2] == field
        }
    runs = store.rows("runs", f"Tenant = '{tenant}'", "RunId, LlmCalls, InputTokens")
    assert [json.dumps(run) for run in runs] == [
        json.dumps(
            {
                "RunId": "11111111-1111-4111-8111-111111111111",
                "LlmCalls": 17,
                "InputTokens": 336,
            }
        )
    ]
