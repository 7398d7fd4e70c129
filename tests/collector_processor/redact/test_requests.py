"""OTLP requests: every text of them is covered, and nothing else of them changes."""

from __future__ import annotations

import json
import re

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers._schema import REQUESTS

from ..fleet import START_NS, agent, attributes, call, logs, traces, value
from ..fleet import span as make_span
from .corpus import contexts, planted
from .guarding import Guard

TOKEN = "gh" + "p_" + "A1b2C3d4E5f6" * 3
MARKER = re.compile(r"\[redacted:github-token:[0-9a-f]{6}\]")
SIGNALS = (Signal.TRACES, Signal.LOGS, Signal.METRICS)


def fill(message: Message, text: str, depth: int = 0) -> int:
    """Put a text into every text field of a message, with its own; return how many."""
    count = 0
    for field in message.DESCRIPTOR.fields:
        inside = getattr(message, field.name)
        if field.message_type is not None:
            if depth < 12 and field.name not in ("array_value", "kvlist_value"):
                target = inside.add() if field.is_repeated else inside
                if not field.is_repeated:
                    target.SetInParent()
                if field.containing_oneof is None or field.index == 0 or depth < 6:
                    count += fill(target, text, depth + 1)
        elif field.type == field.TYPE_STRING:
            if field.is_repeated:
                inside.append(f"{text} {field.name}")
            else:
                setattr(message, field.name, f"{text} {field.name}")
            count += 1
    return count


@pytest.mark.parametrize("signal", SIGNALS)
def test_every_text_field_is_covered(signal):
    """A token in any text field of the OTLP messages is gone, the field's rest stays."""
    request = REQUESTS[signal]()
    filled = fill(request, TOKEN)
    payload = request.SerializeToString()
    assert filled >= 8
    assert payload.count(TOKEN.encode()) >= 8
    clean = Guard().apply(signal, payload)
    assert TOKEN.encode() not in clean
    marker = MARKER.search(clean.decode("latin-1"))
    assert marker is not None
    again = REQUESTS[signal]()
    fill(again, marker[0])
    assert REQUESTS[signal].FromString(clean) == again


def test_every_kind_of_place_in_a_trace():
    """Keys, values of every type, names, events, links, status, resource and scope."""
    span = make_span(1, 2, name=f"run {TOKEN}")
    span.attributes.extend(
        attributes(
            {
                f"key {TOKEN}": "x",
                "text": f"see {TOKEN}",
                "bytes": TOKEN.encode(),
                "list": [TOKEN, 1, [TOKEN]],
                "map": {TOKEN: {"deep": TOKEN}},
                "json": json.dumps({"a": json.dumps([TOKEN])}),
                "http.request.header.authorization": ["Basic dXNlcjpwYXNz"],
                "db.password": "correct horse",
                "password": 12345678,
            }
        )
    )
    span.events.add(name=TOKEN, attributes=attributes({"a": TOKEN}))
    span.links.add(
        trace_id=bytes(16), span_id=bytes(8), attributes=attributes({"b": TOKEN})
    )
    span.status.message = f"failed with {TOKEN}"
    request = traces([span], {"service.name": TOKEN})
    request.resource_spans[0].scope_spans[0].scope.attributes.extend(
        attributes({"c": TOKEN})
    )
    guard = Guard()
    clean = guard.apply(Signal.TRACES, request.SerializeToString())
    for gone in (TOKEN, "dXNlcjpwYXNz", "correct horse", "12345678"):
        assert gone.encode() not in clean
    made = ExportTraceServiceRequest.FromString(clean)
    (found,) = made.resource_spans[0].scope_spans[0].spans
    assert [MARKER.sub("*", each.key) for each in found.attributes] == [
        *("key *", "text", "bytes", "list", "map", "json"),
        *("http.request.header.authorization", "db.password", "password"),
    ]
    inner = json.loads(json.loads(found.attributes[5].value.string_value)["a"])
    assert MARKER.fullmatch(inner[0])
    assert (found.trace_id, found.span_id) == (span.trace_id, span.span_id)
    assert found.start_time_unix_nano == START_NS
    assert guard.counted(kind="github-token") == 15
    assert guard.counted(kind="password") == 2
    assert guard.counted("rewritten_requests", signal="traces") == 1


def test_bodies_of_logs_and_exemplars_of_metrics():
    """Structured bodies and filtered attributes of exemplars are texts as well."""
    record = logs([]).resource_logs[0].scope_logs[0].log_records.add()
    record.body.CopyFrom(value({"outer": ["a", {"inner": TOKEN}]}))
    clean = Guard().apply(Signal.LOGS, logs([record]).SerializeToString())
    assert TOKEN.encode() not in clean
    assert MARKER.search(str(ExportLogsServiceRequest.FromString(clean)))
    metrics = ExportMetricsServiceRequest()
    point = (
        metrics.resource_metrics.add()
        .scope_metrics.add()
        .metrics.add(name="m")
        .histogram.data_points.add(attributes=attributes({"a": TOKEN}))
    )
    point.exemplars.add(filtered_attributes=attributes({"b": TOKEN}), as_int=3)
    clean = Guard().apply(Signal.METRICS, metrics.SerializeToString())
    assert TOKEN.encode() not in clean
    again = ExportMetricsServiceRequest.FromString(clean)
    kept = again.resource_metrics[0].scope_metrics[0].metrics[0].histogram
    assert kept.data_points[0].exemplars[0].as_int == 3


def test_a_clean_request_is_the_same_object():
    """Nothing is copied, decoded or encoded where nothing is suspected."""
    payload = traces([agent(1, 1), call(1, 2, 1)]).SerializeToString()
    guard = Guard()
    assert guard.apply(Signal.TRACES, payload) is payload
    assert guard.counted("suspected_requests", signal="traces") == 0
    suspected = traces([make_span(1, 1, note="api_key=none")]).SerializeToString()
    assert guard.apply(Signal.TRACES, suspected) is suspected
    assert guard.counted("suspected_requests", signal="traces") == 1
    assert guard.counted("rewritten_requests", signal="traces") == 0


def test_neighbours_keep_their_bytes():
    """Only the strings in question change; what is written oddly stays so."""
    odd = b"\x0a\x85\x00" + b"\x0a\x03\x7a\x01x"  # a length in two bytes, unknown field
    hit = traces([make_span(1, 1, note=TOKEN)]).SerializeToString()
    clean = Guard().apply(Signal.TRACES, odd + hit + odd)
    assert clean.startswith(odd)
    assert clean.endswith(odd)
    assert TOKEN.encode() not in clean
    assert len(ExportTraceServiceRequest.FromString(clean).resource_spans) == 3


@pytest.mark.parametrize(
    "unknown",
    [
        b"\xa2\x06" + bytes([len(TOKEN)]) + TOKEN.encode(),  # field 100, a string
        b"\xa3\x06\x0a" + bytes([len(TOKEN)]) + TOKEN.encode() + b"\xa4\x06",  # a group
    ],
    ids=["string", "group"],
)
def test_unknown_fields_hide_nothing(unknown):
    """A field of a version to come is dropped when a secret is found in it."""
    kept = traces([agent(1, 1)]).SerializeToString()
    clean = Guard().apply(Signal.TRACES, kept + unknown)
    assert TOKEN.encode() not in clean
    assert ExportTraceServiceRequest.FromString(clean) == traces([agent(1, 1)])


def test_ids_that_look_like_text_stay():
    """Ids are bytes: whatever they spell, they are left alone."""
    trace_id, span_id = b"ghp_A1b2C3d4E5f6", b"password"
    span = Span(
        trace_id=trace_id, span_id=span_id, name="x", start_time_unix_nano=START_NS
    )
    span.attributes.extend(attributes({"note": TOKEN}))
    clean = Guard().apply(Signal.TRACES, traces([span]).SerializeToString())
    made = ExportTraceServiceRequest.FromString(clean)
    (found,) = made.resource_spans[0].scope_spans[0].spans
    assert (found.trace_id, found.span_id) == (trace_id, span_id)


def test_planted_secrets_in_attributes():
    """Of all planted ones, in everything they may stand in, none is left in a request."""
    guard = Guard()
    planted_ones = planted(3)
    for each in planted_ones:
        # Of every length: what stands before a text in a request is how long it is.
        spans = [
            make_span(1, number, gen_ai__input__messages=text + " " * (number % 64))
            for number, text in enumerate([*contexts(each.text).values()] * 7, 1)
        ]
        clean = guard.apply(Signal.TRACES, traces(spans).SerializeToString())
        for form in (each.secret, json.dumps(each.secret)[1:-1]):
            assert form.encode() not in clean, each.kind
        assert len(ExportTraceServiceRequest.FromString(clean).resource_spans) == 1


def test_a_request_full_of_almost_secrets_is_gone_through_once():
    """Where there are too many places to list, each text is looked at once."""
    note = "password=x api_key=y ghp_0123456789 " * 10
    request = traces([make_span(1, number, note=note) for number in range(1, 2001)])
    payload = request.SerializeToString()
    guard = Guard()
    assert guard.protection._finder is not None
    assert guard.protection._finder.places(payload, 20_000) is None
    assert guard.apply(Signal.TRACES, payload) is payload
    hit = payload + traces([make_span(1, 9, note=TOKEN)]).SerializeToString()
    clean = guard.apply(Signal.TRACES, hit)
    assert TOKEN.encode() not in clean
    assert clean.startswith(payload)


def test_text_that_is_not_ascii_stays_utf_8():
    """A value is never cut through the middle of a character."""
    note = "password=" + "é" * 400
    clean = Guard().apply(
        Signal.TRACES,
        traces([make_span(1, 1, note=f'{note}1 "{note}"')]).SerializeToString(),
    )
    ExportTraceServiceRequest.FromString(clean)
