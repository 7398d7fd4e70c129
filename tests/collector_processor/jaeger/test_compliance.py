"""Jaeger's own tests of a storage, as far as they read: `internal/storage/integration`."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.collector_processor.jaeger import compliance
from tests.collector_processor.jaeger.plain import plain, traces_in
from tests.collector_processor.jaeger.serving import Client, Served, served, spans_of

pytestmark = pytest.mark.integration

EXAMPLE_ID = bytes.fromhex("00000000000000000000000000000011")


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A store of one tenant with Jaeger's example, and one with all others."""
    with served(tmp_path_factory.mktemp("compliance")) as opened:
        opened.take(compliance.trace("example_trace"), tenant="example")
        names = {path.stem for path in compliance.FOLDER.glob("traces/*.json")}
        # The example has the id of another one.
        names.remove("example_trace")
        opened.take(*map(compliance.trace, sorted(names)), tenant="all")
        yield opened


@pytest.fixture
def example(serving: Served) -> Client:
    """A client of the tenant with the example."""
    return serving.connect({"x-tenant": "example"})


def large(spans: int, duplicates_every: int) -> ExportTraceServiceRequest:
    """Return a trace of copies of one span, a second apart, some under its id."""
    request = compliance.trace("example_trace")
    first = request.resource_spans[0]
    scope = first.scope_spans[0]
    copied = type(scope.spans[0])()
    copied.CopyFrom(scope.spans[0])
    copied.trace_id = spans.to_bytes(16, "big")
    del request.resource_spans[1:]
    del scope.spans[:]
    for number in range(spans):
        span = scope.spans.add()
        span.CopyFrom(copied)
        if not (duplicates_every and number and number % duplicates_every == 0):
            span.span_id = (number + 1).to_bytes(8, "big")
        span.start_time_unix_nano += 1_000_000_000 * (number + 1)
        span.end_time_unix_nano += 1_000_000_000 * (number + 1)
    return request


def test_get_services(example: Client) -> None:
    """Every service is named once."""
    assert example.services() == [
        "example-service-1",
        "example-service-2",
        "example-service-3",
    ]


def test_get_operations(example: Client) -> None:
    """Every operation of a service is named once for each kind of its spans."""
    assert example.operations("example-service-1") == [
        ("example-operation-1", ""),
        ("example-operation-3", "server"),
        ("example-operation-4", "client"),
    ]


def test_get_trace(example: Client) -> None:
    """A trace comes back as it was sent."""
    found = example.get_ids(EXAMPLE_ID)
    assert plain(found) == plain([compliance.trace("example_trace")])


def test_get_trace_that_is_not_there(example: Client) -> None:
    """A trace that is not found is no error: the stream is empty."""
    assert example.get_ids((1).to_bytes(16, "big")) == []


def test_get_large_trace(serving: Served) -> None:
    """A trace of ten thousand spans comes back whole."""
    request = large(10_008, 0)
    serving.take(request, tenant="large")
    messages = serving.client.get_ids((10_008).to_bytes(16, "big"))
    assert len(messages) > 1
    assert {trace_id for trace_id, _ in traces_in(messages)} == {f"{10_008:032x}"}
    assert plain(messages) == plain([request])


def test_get_trace_with_duplicates(serving: Served) -> None:
    """Spans that share an id are all there."""
    request = large(200, 20)
    serving.take(request, tenant="large")
    messages = serving.client.get_ids((200).to_bytes(16, "big"))
    assert plain(messages) == plain([request])
    ids = [span.span_id for span in spans_of(messages)]
    assert (len(ids), len(set(ids))) == (200, 191)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param(query, expected, id=caption)
        for caption, query, expected in compliance.queries()
    ],
)
def test_find_traces(
    serving: Served, query: dict[str, Any], expected: list[str]
) -> None:
    """A search finds the traces that Jaeger's test names, whole, and no other."""
    client = serving.connect({"x-tenant": "all"})
    sent = [compliance.trace(name) for name in expected]
    assert plain(client.find(**query)) == plain(sent)
    ids = {span.trace_id.hex() for span in spans_of(sent)}
    assert set(client.hex_ids(**query)) == ids
    found = {each.trace_id.hex() for each in client.summaries(**query)}
    assert found == ids
