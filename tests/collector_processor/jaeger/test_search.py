"""What a search finds, in which order, and what it refuses."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from fleetspan_collector.jaeger import reading
from fleetspan_collector.jaeger.protos import trace_storage_pb2 as storage
from tests.collector_processor.jaeger.building import (
    NOON_NS,
    SECOND_NS,
    fill,
    one,
    span_of,
    trace_id,
)
from tests.collector_processor.jaeger.serving import (
    READER,
    Client,
    Served,
    parameters,
    served,
)

pytestmark = pytest.mark.integration

HOUR_NS = 3600 * SECOND_NS
AROUND_NOON = {
    "start_time_min": NOON_NS - 24 * HOUR_NS,
    "start_time_max": NOON_NS + 24 * HOUR_NS,
}


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A store with spans of each kind of thing that can be looked for."""
    with served(tmp_path_factory.mktemp("search")) as opened:
        failed = one(1, attributes={"http.response.status_code": 500})
        span_of(failed).status.code = Status.STATUS_CODE_ERROR
        span_of(failed).status.message = "no stock"
        called_failed = one(2, at_s=1, attributes={"error": True})
        with_event = one(3, at_s=2, kind=Span.SPAN_KIND_CLIENT, trace_state="a=1")
        event = span_of(with_event).events.add(time_unix_nano=NOON_NS, name="exception")
        fill(event.attributes.add(key="exception.type").value, "Timeout")
        scoped = one(4, at_s=3, resource={"host.name": "red"}, name="pay")
        scope = scoped.resource_spans[0].scope_spans[0].scope
        scope.name, scope.version = "checkout", "1.2"
        opened.take(
            *(failed, called_failed, with_event, scoped),
            one(5, at_s=4, attributes={"ratio": 0.00001, "empty": "", "n": 1e21}),
            one(6, at_s=5, attributes={"same": "a*b%_\\'\"{x:String}"}),
            one(7, at_s=6, service="", name="lonely"),
            # Two spans of one trace, which have what is wanted only together.
            one(8, 1, at_s=7, attributes={"left": 1}, duration_ns=5_000),
            one(8, 2, at_s=8, attributes={"right": 2}, duration_ns=9_000),
            one(9, at_s=-7200, service="mail", name="send"),
            one(9, 2, at_s=90_000, service="mail", name="late"),
        )
        yield opened


@pytest.fixture
def client(serving: Served) -> Client:
    """A client that sees everything."""
    return serving.client


def ids(*numbers: int) -> list[str]:
    """Return ids of traces as they are shown."""
    return [trace_id(number).hex() for number in numbers]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"http.response.status_code": 500}, [1]),
        ({"http.response.status_code": "500"}, [1]),
        ({"error": "true"}, [2, 1]),
        ({"error": True}, [2, 1]),
        ({"error": True, "http.response.status_code": 500}, [1]),
        ({"error": False, "exception.type": "Timeout"}, [3]),
        ({"otel.status_code": "ERROR"}, [1]),
        ({"otel.status_description": "no stock"}, [1]),
        ({"span.kind": "client"}, [3]),
        ({"w3c.tracestate": "a=1"}, [3]),
        ({"event": "exception"}, [3]),
        ({"exception.type": "Timeout"}, [3]),
        ({"exception.type": "Timeout", "span.kind": "client"}, [3]),
        ({"exception.type": "Timeout", "span.kind": "server"}, []),
        ({"host.name": "red"}, [4]),
        ({"otel.scope.name": "checkout", "otel.scope.version": "1.2"}, [4]),
        ({"otel.library.name": "checkout"}, [4]),
        ({"ratio": 0.00001}, [5]),
        ({"n": 1e21}, [5]),
        ({"empty": ""}, [5]),
        ({"no.such": ""}, []),
        ({"same": "a*b%_\\'\"{x:String}"}, [6]),
        ({"same": "a.*"}, []),
        ({"same": "a%"}, []),
        ({"left": 1}, [8]),
        ({"left": 1, "right": 2}, []),
        ({"ratio": "Timeout"}, []),
    ],
)
def test_attributes(
    client: Client, attributes: dict[str, Any], expected: list[int]
) -> None:
    """Each is looked for in the span, its resource, its events and its fields.

    One span has to have all of them.
    """
    found = client.hex_ids(attributes=attributes, **AROUND_NOON)
    assert found == ids(*expected)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"service_name": "mail"}, [9]),
        ({"service_name": "mail", "operation_name": "send"}, [9]),
        ({"service_name": "mail", "operation_name": "buy"}, []),
        ({"operation_name": "pay"}, [4]),
        ({"service_name": "OTLPResourceNoServiceName"}, [7]),
        ({"service_name": "no such"}, []),
        ({"duration_min": 5_000}, [8]),
        ({"duration_min": 5_001, "duration_max": 8_999}, []),
        ({"duration_min": 9_000, "duration_max": 9_000}, [8]),
        ({"duration_max": 999}, []),
    ],
)
def test_fields(client: Client, query: dict[str, Any], expected: list[int]) -> None:
    """Service, name and duration are those of one span."""
    assert client.hex_ids(**query, **AROUND_NOON) == ids(*expected)


def test_the_newest_comes_first(client: Client) -> None:
    """Traces come by their newest matching span, and no more than are asked for."""
    everything = client.hex_ids(**AROUND_NOON)
    assert everything == ids(8, 7, 6, 5, 4, 3, 2, 1, 9)
    assert client.hex_ids(search_depth=3, **AROUND_NOON) == ids(8, 7, 6)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (AROUND_NOON, [8, 7, 6, 5, 4, 3, 2, 1, 9]),
        ({**AROUND_NOON, "search_depth": 2}, [8, 7]),
        ({**AROUND_NOON, "attributes": {"error": True}}, [2, 1]),
        ({**AROUND_NOON, "attributes": {"exception.type": "Timeout"}}, [3]),
        ({"service_name": "mail"}, [9]),
    ],
)
def test_slices(
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    query: dict[str, Any],
    expected: list[int],
) -> None:
    """What is searched slice by slice, for it is much, is found in the same order."""
    monkeypatch.setattr(reading, "_SPANS_OF_FIRST_SLICE", 1)
    assert client.hex_ids(**query) == ids(*expected)


@pytest.mark.parametrize(
    ("first_s", "last_s", "expected"),
    [
        (0, 0, [1]),
        (0, 1, [2, 1]),
        (1, 2, [3, 2]),
        (-7200, -7200, [9]),
        (-7201, 90_000, [9, 8, 7, 6, 5, 4, 3, 2, 1]),
        (91_000, 92_000, []),
    ],
)
def test_both_ends_of_the_time_are_in_it(
    client: Client, first_s: int, last_s: int, expected: list[int]
) -> None:
    """A span counts that begins at the first or at the last nanosecond."""
    found = client.hex_ids(
        start_time_min=NOON_NS + first_s * SECOND_NS,
        start_time_max=NOON_NS + last_s * SECOND_NS,
    )
    assert found == ids(*expected)


def test_times_need_not_be_given(client: Client) -> None:
    """Without times, or with the year 1 that Go sends for none, all spans are searched."""
    query = storage.TraceQueryParameters()
    for time in (query.start_time_min, query.start_time_max):
        time.seconds = -62_135_596_800
    answer = client.one(
        f"{READER}FindTraceIDs",
        storage.FindTraceIDsRequest(query=query),
        storage.FindTraceIDsResponse,
    )
    assert [each.trace_id.hex() for each in answer.trace_ids] == ids(
        9, 8, 7, 6, 5, 4, 3, 2, 1
    )
    assert client.hex_ids() == ids(9, 8, 7, 6, 5, 4, 3, 2, 1)


def test_a_trace_is_found_whole(client: Client) -> None:
    """A search returns all spans of a trace, also those outside of its time."""
    found = client.find(service_name="mail", operation_name="send", **AROUND_NOON)
    names = [
        s.name for m in found for r in m.resource_spans for s in r.scope_spans[0].spans
    ]
    assert names == ["send", "late"]
    (bounds,) = client.find_ids(operation_name="send", **AROUND_NOON)
    assert bounds.start.ToNanoseconds() == NOON_NS - 7200 * SECOND_NS
    assert bounds.end.ToNanoseconds() == NOON_NS + 90_001 * SECOND_NS


@pytest.mark.parametrize(
    ("query", "because"),
    [
        ({"search_depth": -1}, "search_depth"),
        ({"search_depth": 10_001}, "search_depth"),
        ({"duration_min": 2, "duration_max": 1}, "duration_min"),
        ({"duration_min": -1}, "duration_min"),
        ({"start_time_min": 2, "start_time_max": 1}, "start_time_min"),
        ({"attributes": {str(n): n for n in range(51)}}, "attributes"),
        ({"filter": {"op": "and"}}, "filter"),
        ({"pagination": {"page_size": 5}, "search_depth": 5}, "search_depth"),
        ({"pagination": {"page_size": 0}}, "page_size"),
        ({"pagination": {"page_size": 1, "page_token": "x"}}, "page_token"),
    ],
)
@pytest.mark.parametrize("method", ["find", "find_ids", "summaries"])
def test_what_cannot_be_answered_is_refused(
    client: Client, method: str, query: dict[str, Any], because: str
) -> None:
    """A search that makes no sense is INVALID_ARGUMENT, and says which part of it."""
    with pytest.raises(grpc.RpcError) as refused:
        getattr(client, method)(**query)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    details = refused.value.details() or ""
    assert because in details or "pagination" in details


def test_an_attribute_without_a_value_is_refused(client: Client) -> None:
    """Neither nothing nor a list can be looked for."""
    query = storage.TraceQueryParameters()
    query.attributes.add(key="a").value.array_value.values.add(int_value=1)
    request = storage.FindTraceIDsRequest(query=query)
    with pytest.raises(grpc.RpcError, match="'a' is array_value"):
        client.one(f"{READER}FindTraceIDs", request, storage.FindTraceIDsResponse)


def test_a_page_is_as_large_as_is_asked(client: Client) -> None:
    """Who asks for a page gets the first one, and no token: there are no others."""
    request = storage.FindTraceIDsRequest(
        query=parameters(pagination={"page_size": 2}, **AROUND_NOON)
    )
    answer = client.one(f"{READER}FindTraceIDs", request, storage.FindTraceIDsResponse)
    assert [each.trace_id.hex() for each in answer.trace_ids] == ids(8, 7)
    assert answer.next_page_token == ""


def test_traces_do_not_come_in_pages(client: Client) -> None:
    """Searching for whole traces refuses pages, as the interface says."""
    with pytest.raises(grpc.RpcError, match="traces do not come in pages"):
        client.find(pagination={"page_size": 2}, **AROUND_NOON)
