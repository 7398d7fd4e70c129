"""Any spans, sent over OTLP, stored, and read as Jaeger reads them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)

from tests.collector_processor.jaeger.building import NOON_NS, SECOND_NS, fill, trace_id
from tests.collector_processor.jaeger.plain import plain
from tests.collector_processor.jaeger.serving import Served, served

pytestmark = pytest.mark.integration

NUMBERS = itertools.count(1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=8)
# Names, ids and versions are texts whatever they look like.
KEYS = TEXTS.filter(lambda key: not key.endswith(("id", "name", "version")))
VALUES = st.one_of(
    TEXTS,
    st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,3})?(e-?[0-9]{1,3})?", fullmatch=True),
    st.sampled_from(["true", "false", "nan", "inf", ""]),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=5)
OFFSETS_NS = st.integers(-24 * 3600 * SECOND_NS, 24 * 3600 * SECOND_NS)
IDS = st.binary(min_size=8, max_size=8).filter(any)
EVENTS = st.lists(st.tuples(OFFSETS_NS, TEXTS, ATTRIBUTES), max_size=2)
LINKS = st.lists(st.tuples(IDS, TEXTS, ATTRIBUTES), max_size=2)
SPANS = st.fixed_dictionaries(
    {
        "parent": st.one_of(st.just(b""), IDS),
        "state": TEXTS,
        "name": TEXTS,
        "kind": st.integers(0, 5),
        "offset_ns": OFFSETS_NS,
        "duration_ns": st.integers(0, 10**15),
        "code": st.integers(0, 2),
        "message": TEXTS,
        "attributes": ATTRIBUTES,
        "events": EVENTS,
        "links": LINKS,
        "scope": st.tuples(TEXTS, TEXTS),
        "service": st.sampled_from(["shop", "7", "true"]),
        "resource": ATTRIBUTES,
    }
)


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """An empty store."""
    with served(tmp_path_factory.mktemp("round-trip")) as opened:
        yield opened


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(st.lists(SPANS, min_size=1, max_size=12))
def test_what_is_sent_is_read(serving: Served, described: list[dict[str, Any]]) -> None:
    """Every field that the store keeps is the same, and every value by its text.

    The type of a value follows from its text: whole numbers, fractions and truth values
    keep theirs, and a text that reads like one gets it.
    """
    trace = trace_id(next(NUMBERS))
    request = request_of(trace, described)
    serving.store.insert([request])
    (sent, read) = plain([request]), plain(serving.client.get_ids(trace))
    assert [without_values(span) for span in read] == [
        without_values(span) for span in sent
    ]
    for one_sent, one_read in zip(sent, read, strict=True):
        for left, right in zip(values(one_sent), values(one_read), strict=True):
            assert left.keys() == right.keys()
            assert all(is_same(left[key], right[key]) for key in left), (left, right)


def request_of(
    trace: bytes, described: list[dict[str, Any]]
) -> ExportTraceServiceRequest:
    """Make spans of a trace."""
    request = ExportTraceServiceRequest()
    for number, each in enumerate(described, 1):
        resource = request.resource_spans.add()
        named = {**each["resource"], "service.name": each["service"]}
        for key, known in named.items():
            fill(resource.resource.attributes.add(key=key).value, known)
        scope = resource.scope_spans.add()
        scope.scope.name, scope.scope.version = each["scope"]
        start_ns = NOON_NS + each["offset_ns"]
        span = scope.spans.add(
            trace_id=trace,
            span_id=number.to_bytes(8, "big"),
            parent_span_id=each["parent"],
            trace_state=each["state"],
            name=each["name"],
            kind=each["kind"],
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + each["duration_ns"],
        )
        span.status.code, span.status.message = each["code"], each["message"]
        for key, known in each["attributes"].items():
            fill(span.attributes.add(key=key).value, known)
        for offset_ns, name, attributes in each["events"]:
            event = span.events.add(time_unix_nano=NOON_NS + offset_ns, name=name)
            for key, known in attributes.items():
                fill(event.attributes.add(key=key).value, known)
        for span_id, state, attributes in each["links"]:
            link = span.links.add(trace_id=trace, span_id=span_id, trace_state=state)
            for key, known in attributes.items():
                fill(link.attributes.add(key=key).value, known)
    return request


def without_values(span: dict[str, Any]) -> dict[str, Any]:
    """A span without its attributes' values."""
    return {
        **span,
        "attributes": None,
        "resource": None,
        "events": [event[:2] for event in span["events"]],
        "links": [link[:3] for link in span["links"]],
    }


def values(span: dict[str, Any]) -> list[dict[str, Any]]:
    """All attributes of a span."""
    return [
        *(span["attributes"], span["resource"]),
        *(event[2] for event in span["events"]),
        *(link[3] for link in span["links"]),
    ]


def is_same(sent: Any, read: Any) -> bool:
    """Tell whether a value came back as it had to."""
    if isinstance(sent, bool):
        return read is sent
    if isinstance(sent, int):
        return type(read) is int and read == sent
    if isinstance(sent, float):
        if math.isnan(sent):
            return bool(read == "nan")
        # A whole number in a fraction's clothes is written without its point.
        has_no_point = sent.is_integer() or math.isinf(sent)
        return float(read) == sent and (type(read) is float or has_no_point)
    if isinstance(read, bool):
        return bool(sent == str(read).lower())
    if isinstance(read, int):
        return bool(sent == str(read))
    return bool(read == sent if isinstance(read, str) else float(sent) == read)
