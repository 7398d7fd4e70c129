"""Traces as they come back: spans, messages, bounds, and what does not fit."""

from __future__ import annotations

import itertools
from collections.abc import Generator

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status, TracesData

from fleetspan_collector.control.records import submission_of
from fleetspan_collector.jaeger import reading
from fleetspan_collector.jaeger.protos import trace_storage_pb2 as storage
from fleetspan_routing.control.decision import Chosen, Decision
from tests.collector_processor.jaeger.building import (
    NOON_NS,
    SECOND_NS,
    fill,
    one,
    span_id,
    span_of,
    trace_id,
)
from tests.collector_processor.jaeger.plain import attributes, plain, traces_in
from tests.collector_processor.jaeger.serving import (
    READER,
    Served,
    served,
    spans_of,
    timestamp,
)

pytestmark = pytest.mark.integration

LIMIT_BYTES = 4 << 20


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """An empty store; each test has traces, or a tenant, of its own."""
    with served(tmp_path_factory.mktemp("reading")) as opened:
        yield opened


def full(number: int) -> ExportTraceServiceRequest:
    """Return a request of one span that has everything that the store keeps."""
    request = one(
        number,
        parent=7,
        kind=Span.SPAN_KIND_CONSUMER,
        trace_state="vendor=1,other=2",
        attributes={"text": "ä", "whole": -3, "part": 0.5, "flag": False, "none": ""},
        resource={"host.name": "red", "process.pid": 17, "service.version": "2"},
    )
    scope = request.resource_spans[0].scope_spans[0].scope
    scope.name, scope.version = "instrumentation", "1.10"
    span = span_of(request)
    span.status.code, span.status.message = Status.STATUS_CODE_ERROR, "broken"
    event = span.events.add(time_unix_nano=NOON_NS + 1, name="exception")
    fill(event.attributes.add(key="exception.line").value, 12)
    span.events.add(time_unix_nano=NOON_NS + 2, name="again")
    link = span.links.add(
        trace_id=trace_id(99), span_id=span_id(98), trace_state="vendor=9"
    )
    fill(link.attributes.add(key="reason").value, "retry")
    span.links.add(trace_id=trace_id(97), span_id=span_id(96))
    return request


def test_a_span_comes_back_whole(serving: Served) -> None:
    """Everything that the store keeps of a span is in the answer, with its type."""
    serving.take(full(1))
    assert plain(serving.client.get_ids(trace_id(1))) == plain([full(1)])


def test_what_was_decided_of_a_span_is_among_its_events(serving: Served) -> None:
    """A model that was changed, with the chances; of no other span."""
    serving.take(full(0x770), one(0x771))
    span = span_of(full(0x770))
    decision = Decision(
        event="PreToolUse",
        session_id="s",
        chosen=Chosen(
            asked="", model="haiku", reason="as good", propensity=0.9, applied=True
        ),
        input={"model": "haiku"},
    )
    parent = f"00-{span.trace_id.hex()}-{span.span_id.hex()}-01"
    told = submission_of(decision, parent, NOON_NS + SECOND_NS).payload
    serving.store.take(ExportLogsServiceRequest.FromString(told))
    (message,) = serving.client.get_ids(trace_id(0x770))
    (back,) = spans_of([message])
    assert [event.name for event in back.events] == [
        *("exception", "again", "fleetspan.routing.decision"),
    ]
    said = attributes(back.events[-1].attributes)
    assert said["fleetspan.routing.model"] == "haiku"
    assert said["fleetspan.control.reason"] == "as good"
    assert plain(serving.client.get_ids(trace_id(0x771))) == plain([one(0x771)])


def test_kinds_and_statuses(serving: Served) -> None:
    """Every kind and every status comes back."""
    requests = []
    for number, (kind, code) in enumerate(itertools.product(range(6), range(3)), 1):
        request = one(100, number, at_s=number, kind=kind)
        span_of(request).status.code = code  # type: ignore[assignment] # enums are ints
        requests.append(request)
    serving.take(*requests)
    assert plain(serving.client.get_ids(trace_id(100))) == plain(requests)


def test_lists_and_maps_are_text(serving: Served) -> None:
    """Values that hold values come back as the JSON that the store has of them."""
    serving.take(one(2, attributes={"l": ["a", 1], "m": {"k": True}, "b": b"\0\1"}))
    (span,) = spans_of(serving.client.get_ids(trace_id(2)))
    assert attributes(span.attributes) == {
        "l": '["a",1]',
        "m": '{"k":true}',
        "b": "AAE=",
    }


def test_spans_are_sorted_and_share_their_resource(serving: Served) -> None:
    """Spans stand by start, then id, under one resource and one scope each."""
    requests = [
        one(3, 1, at_s=5),
        one(3, 4, at_s=1),
        one(3, 2, at_s=1),
        one(3, 3, at_s=3, service="other"),
    ]
    serving.take(*requests)
    (message,) = serving.client.get_ids(trace_id(3))
    found = [
        (
            attributes(resource.resource.attributes)["service.name"],
            [span.span_id[-1] for span in scope.spans],
        )
        for resource in message.resource_spans
        for scope in resource.scope_spans
    ]
    assert found == [("shop", [2, 4, 1]), ("other", [3])]


def test_traces_follow_each_other_in_the_order_of_the_request(serving: Served) -> None:
    """Every message is of one trace, and each trace's messages follow each other."""
    serving.take(*(one(number, n) for n in (1, 2) for number in (13, 11, 12)))
    wanted = [trace_id(number) for number in (12, 404, 13, 11, 12)]
    assert traces_in(serving.client.get_ids(*wanted)) == [
        (trace_id(12).hex(), 2),
        (trace_id(13).hex(), 2),
        (trace_id(11).hex(), 2),
    ]


def test_large_traces_are_read_one_by_one(serving: Served) -> None:
    """Traces too large to be read together still come whole, each in several messages."""
    text = "x" * 100_000
    requests = [
        one(number, span, at_s=span, attributes={"text": text})
        for number in (21, 22)
        for span in range(1, 51)
    ]
    serving.take(*requests)
    messages = serving.client.get_ids(trace_id(21), trace_id(22))
    found = traces_in(messages)
    order = [each for each, _ in found]
    assert order == sorted(order)
    assert all(message.ByteSize() < LIMIT_BYTES for message in messages)
    assert plain(messages) == plain(requests)


def test_a_span_that_does_not_fit_is_cut(serving: Served) -> None:
    """A span larger than Jaeger's messages is sent with shorter values and a warning."""
    texts = {f"t{number}": "é" * 400_000 for number in range(8)}
    request = one(31, attributes={**texts, "short": "kept"})
    fill(
        span_of(request).events.add(name="e").attributes.add(key="big").value,
        "y" * 500_000,
    )
    before = serving.metric("fleetspan_jaeger_cut_spans_total")
    serving.take(request, one(31, 2, at_s=1))
    messages = serving.client.get_ids(trace_id(31))
    assert all(message.ByteSize() < LIMIT_BYTES for message in messages)
    first, second = spans_of(messages)
    cut = attributes(first.attributes)
    assert cut["short"] == "kept"
    assert cut["t0"] == "é" * 65_536 + "…"
    assert cut["@jaeger@warnings"] == [
        "values are cut to 65536 characters, to fit into a message"
    ]
    assert second.span_id == span_id(2)
    assert serving.metric("fleetspan_jaeger_cut_spans_total") == before + 1


def test_a_span_of_too_many_things_is_cut(serving: Served) -> None:
    """What is too much even with the shortest values is left out, with a warning."""
    request = one(32)
    for number in range(12_000):
        event = span_of(request).events.add(name=f"event {number}")
        fill(event.attributes.add(key="k" * 100).value, "v" * 100)
    serving.take(request)
    (message,) = serving.client.get_ids(trace_id(32))
    (span,) = spans_of([message])
    assert message.ByteSize() < LIMIT_BYTES
    assert (span.name, len(span.events)) == ("buy", 0)
    assert attributes(span.attributes)["@jaeger@warnings"] == [
        "12000 attributes, events and links are left out: too many"
    ]


def test_a_resource_that_does_not_fit_is_cut(serving: Served) -> None:
    """The attributes of a resource are cut, too."""
    resource = {f"r{number}": "z" * 900_000 for number in range(6)}
    serving.take(one(33, resource=resource))
    (message,) = serving.client.get_ids(trace_id(33))
    assert message.ByteSize() < LIMIT_BYTES
    found = attributes(message.resource_spans[0].resource.attributes)
    assert found["service.name"] == "shop"
    assert found["r5"] == "z" * 65_536 + "…"


def test_a_trace_without_end_is_cut(
    serving: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a trace with too many spans so many are sent, and a warning says so."""
    monkeypatch.setattr(reading, "MOST_SPANS_OF_A_TRACE", 10)
    serving.take(*(one(34, span, at_s=span) for span in range(1, 21)))
    spans = spans_of(serving.client.get_ids(trace_id(34)))
    assert len(spans) == 10
    warnings = [attributes(span.attributes).get("@jaeger@warnings") for span in spans]
    assert [each for each in warnings if each] == [
        ["the trace has more than 10 spans; the rest is left out"]
    ]


def test_times_of_a_trace_are_a_hint(serving: Served) -> None:
    """A trace comes whole when it meets the times of the request, else not at all."""
    serving.take(one(41, 1), one(41, 2, at_s=3600))

    def found(first_s: float | None, last_s: float | None) -> int:
        query = storage.GetTraceParams(trace_id=trace_id(41))
        if first_s is not None:
            query.start_time.CopyFrom(timestamp(NOON_NS + round(first_s * SECOND_NS)))
        if last_s is not None:
            query.end_time.CopyFrom(timestamp(NOON_NS + round(last_s * SECOND_NS)))
        return len(spans_of(serving.client.get(query)))

    assert [
        found(None, None),
        found(1800, 1900),
        found(None, 0),
        found(3600, None),
    ] == [*(2, 2, 2, 2)]
    assert [found(None, -10), found(3700, None), found(3700, 3800)] == [0, 0, 0]


def test_short_ids(serving: Served) -> None:
    """An id of eight bytes is the lower half of one, as with Jaeger's first clients."""
    serving.take(one(42))
    assert len(spans_of(serving.client.get_ids(b"\0" * 7 + b"\x2a"))) == 1


@pytest.mark.parametrize("size", [0, 7, 15, 17])
def test_ids_that_are_none(serving: Served, size: int) -> None:
    """An id of another size is INVALID_ARGUMENT."""
    with pytest.raises(
        grpc.RpcError, match=f"{size} bytes where 16 are an id"
    ) as error:
        serving.client.get_ids(b"\1" * size)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_a_trace_whose_bounds_are_not_known_yet(serving: Served) -> None:
    """Spans are found before the bounds of their trace are derived, and after these."""
    serving.store.insert([one(43, 1), one(43, 2, at_s=60)])
    assert len(spans_of(serving.client.get_ids(trace_id(43)))) == 2
    serving.take(one(44, 1))
    serving.store.insert([one(44, 2, at_s=60)])
    serving.settled = False
    try:
        assert len(spans_of(serving.client.get_ids(trace_id(44)))) == 2
    finally:
        serving.settled = True


def test_what_a_call_waits_for(serving: Served) -> None:
    """Reading traces waits for their bounds, which are derived; names come sooner."""
    serving.waits.clear()
    serving.client.services()
    serving.client.operations("shop")
    serving.client.get_ids(trace_id(1))
    serving.client.find(search_depth=1)
    assert serving.waits == [False, False, True, True]


def test_rows_of_other_writers(serving: Served) -> None:
    """Rows in the spelling of older exporters, and with ids that are none, are read."""
    serving.store.engine.command(
        "INSERT INTO otel.otel_traces (Timestamp, TraceId, SpanId, SpanName, SpanKind,"
        " ServiceName, StatusCode, Duration, Tenant) VALUES"
        f" (fromUnixTimestamp64Nano({NOON_NS}), '{trace_id(51).hex()}',"
        f" '{span_id(1).hex()}', 'old', 'SPAN_KIND_SERVER', 'elsewhere',"
        " 'STATUS_CODE_ERROR', 5, 'others'),"
        f" (fromUnixTimestamp64Nano({NOON_NS}), '{trace_id(51).hex()}',"
        " 'no id', 'bad', 'Server', 'elsewhere', 'Unset', 5, 'others'),"
        f" (fromUnixTimestamp64Nano({NOON_NS}), 'no id', '{span_id(2).hex()}', 'bad',"
        " 'Server', 'elsewhere', 'Unset', 5, 'others'),"
        f" (fromUnixTimestamp64Nano({NOON_NS}), '{'é' * 16}', '{span_id(3).hex()}',"
        " 'bad', 'Server', 'elsewhere', 'Unset', 5, 'others')"
    )
    client = serving.connect({"x-tenant": "others"})
    messages = client.find(attributes={"error": True, "span.kind": "server"})
    (span,) = spans_of(messages)
    assert (span.name, span.kind) == ("old", Span.SPAN_KIND_SERVER)
    assert span.status.code == Status.STATUS_CODE_ERROR
    resource = messages[0].resource_spans[0].resource
    assert attributes(resource.attributes) == {"service.name": "elsewhere"}
    assert client.operations("elsewhere", "server") == [
        ("bad", "server"),
        ("old", "server"),
    ]
    assert client.hex_ids() == [trace_id(51).hex()]
    assert serving.metric("fleetspan_jaeger_left_out_total", reason="bad_id") == 2


def test_times_that_cannot_be(serving: Served) -> None:
    """The last time there is, and an end before the start, are no error."""
    request = one(61, duration_ns=-5)
    serving.take(request)
    (span,) = spans_of(serving.client.get_ids(trace_id(61)))
    assert span.end_time_unix_nano == span.start_time_unix_nano == NOON_NS


def test_nothing_is_there(serving: Served) -> None:
    """A tenant without spans has nothing of anything, and no error."""
    client = serving.connect({"x-tenant": "nobody"})
    assert client.services() == []
    assert client.operations("shop") == []
    assert client.find() == []
    assert client.find_ids() == []
    assert client.summaries() == []
    assert client.dependencies(timestamp(NOON_NS), timestamp(NOON_NS + 1)) == []
    assert (
        list(client.many(f"{READER}GetTraces", storage.GetTracesRequest(), TracesData))
        == []
    )
