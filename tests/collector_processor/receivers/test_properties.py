"""Rules that hold for every request."""

import asyncio
import base64
import contextlib
import http.client
from typing import Any

import orjson
from google.protobuf import json_format
from google.protobuf.descriptor import FieldDescriptor
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers import TooLarge, Undecodable
from fleetspan_collector.receivers._otlp_json import decode_json
from fleetspan_collector.receivers._schema import REQUESTS
from fleetspan_collector.receivers._validate import validate

KIND = FieldDescriptor
SIGNALS = (Signal.TRACES, Signal.LOGS, Signal.METRICS)
IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}

INTEGERS = {
    KIND.TYPE_INT32: (-(1 << 31), (1 << 31) - 1),
    KIND.TYPE_ENUM: (-(1 << 31), (1 << 31) - 1),
    KIND.TYPE_SINT32: (-(1 << 31), (1 << 31) - 1),
    KIND.TYPE_INT64: (-(1 << 63), (1 << 63) - 1),
    KIND.TYPE_SINT64: (-(1 << 63), (1 << 63) - 1),
    KIND.TYPE_SFIXED64: (-(1 << 63), (1 << 63) - 1),
    KIND.TYPE_UINT32: (0, (1 << 32) - 1),
    KIND.TYPE_FIXED32: (0, (1 << 32) - 1),
    KIND.TYPE_UINT64: (0, (1 << 64) - 1),
    KIND.TYPE_FIXED64: (0, (1 << 64) - 1),
}


def scalars(field: Any) -> st.SearchStrategy[Any]:
    """Values of a scalar field."""
    if field.type in INTEGERS:
        return st.integers(*INTEGERS[field.type])
    if field.name in IDS:
        sizes = st.sampled_from([0, IDS[field.name]])
        return sizes.flatmap(lambda n: st.binary(min_size=n, max_size=n))
    return {
        KIND.TYPE_STRING: st.text(max_size=5),
        KIND.TYPE_BYTES: st.binary(max_size=5),
        KIND.TYPE_BOOL: st.booleans(),
        KIND.TYPE_DOUBLE: st.floats(),
    }[field.type]


@st.composite
def messages(draw: st.DrawFn, descriptor: Any, depth: int = 0) -> dict[str, Any]:
    """A message as the keyword arguments that make it."""
    fields = {}
    # Values are often containers, so that some nest deeper than is kept.
    chosen = {
        group.name: draw(st.sampled_from(list(group.fields) + list(group.fields)[4:6]))
        for group in descriptor.oneofs
    }
    for field in descriptor.fields:
        group = field.containing_oneof
        if group is not None and chosen[group.name] != field:
            continue
        likely = field.message_type is not None and (depth < 3 or group is not None)
        if not likely and not draw(st.booleans()):
            continue
        if field.message_type is None:
            value = scalars(field)
        elif depth < 14:
            value = messages(field.message_type, depth + 1)
        else:
            continue
        most = 2 if depth < 3 else 1
        fields[field.name] = draw(
            st.lists(value, max_size=most) if field.is_repeated else value
        )
    return fields


@st.composite
def requests(draw: st.DrawFn) -> tuple[Signal, Any]:
    """A signal and a request of it."""
    signal = draw(st.sampled_from(SIGNALS))
    kind = REQUESTS[signal]
    return signal, kind(**draw(messages(kind.DESCRIPTOR)))


def otlp_json(message: Any) -> bytes:
    """Write OTLP/JSON with protobuf's stock writer, then mend what OTLP has otherwise."""
    document = json_format.MessageToDict(message, use_integers_for_enums=True)

    def mend(value: Any) -> Any:
        if isinstance(value, list):
            return [mend(item) for item in value]
        if not isinstance(value, dict):
            return value
        mended = {key: mend(item) for key, item in value.items()}
        for key in ("traceId", "spanId", "parentSpanId"):
            if key in mended:
                mended[key] = base64.b64decode(mended[key]).hex()
        return mended

    return orjson.dumps(mend(document))


SLOW = settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


class TestJson:
    """OTLP/JSON against protobuf."""

    @SLOW
    @given(requests())
    def test_otlp_35_json_and_protobuf_have_the_same_bytes(self, case):
        """Any request written as JSON is decoded to the bytes protobuf writes."""
        signal, request = case
        decoded = decode_json(signal, otlp_json(request), max_parsed_bytes=1 << 28)
        assert decoded == request.SerializeToString()


class TestAnyBytes:
    """Requests that nobody meant to send."""

    @SLOW
    @given(requests(), st.data())
    def test_mutated_requests_are_answered(self, case, data):
        """A flipped, cut or inserted byte gives a verdict or a refusal, never a fault."""
        signal, request = case
        body = bytearray(request.SerializeToString())
        for _ in range(data.draw(st.integers(1, 4))):
            place = data.draw(st.integers(0, len(body)))
            change = data.draw(st.sampled_from(["flip", "cut", "insert"]))
            if change == "flip" and place < len(body):
                body[place] ^= data.draw(st.integers(1, 255))
            elif change == "cut":
                del body[place : place + data.draw(st.integers(1, 9))]
            else:
                body[place:place] = data.draw(st.binary(min_size=1, max_size=9))
        for limit in (1 << 28, 200):
            with contextlib.suppress(Undecodable, TooLarge):
                verdict = validate(signal, bytes(body), max_parsed_bytes=limit)
                # What is handed on is sound: it passes again, whole and unchanged.
                again = validate(signal, verdict.payload, max_parsed_bytes=1 << 28)
                assert (again.rows, again.rejected_items) == (verdict.rows, 0)
                assert again.payload is verdict.payload

    async def test_a_running_receiver_survives_any_body(self, collector):
        """Whatever arrives, in either type, the answer is 200 or 400."""

        @SLOW
        @given(
            st.sampled_from(["x-protobuf", "json"]),
            st.sampled_from(SIGNALS),
            st.one_of(
                st.binary(max_size=60),
                requests().map(lambda case: case[1].SerializeToString()),
                requests().map(lambda case: otlp_json(case[1])),
            ),
        )
        def survive(kind, signal, body):
            connection = http.client.HTTPConnection("127.0.0.1", collector.http.port)
            with contextlib.closing(connection):
                headers = {"Content-Type": f"application/{kind}"}
                connection.request("POST", f"/v1/{signal}", body, headers)
                response = connection.getresponse()
                answer = response.read()
                assert response.status in (200, 400), answer

        await asyncio.to_thread(survive)
