"""OTLP/JSON: items 29 to 35 of the checklist."""

import math
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers import TooLarge, Undecodable
from fleetspan_collector.receivers._otlp_json import decode_json
from fleetspan_collector.receivers._validate import validate


def decode(signal: Signal, document: object) -> bytes:
    """Decode a document (or JSON text) with plenty of room."""
    body = document if isinstance(document, bytes) else orjson.dumps(document)
    return decode_json(signal, body, max_parsed_bytes=1 << 28)


def spans(*items: object) -> dict[str, Any]:
    """Wrap spans into an export request."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(items)}]}]}


def span(**fields: object) -> Any:
    """Decode one span."""
    body = decode(Signal.TRACES, spans(fields))
    request = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
    return request.resource_spans[0].scope_spans[0].spans[0]


def value(**fields: object) -> Any:
    """Decode one attribute value."""
    return span(attributes=[{"key": "k", "value": fields}]).attributes[0].value


def wrong(document: object) -> tuple[str, str]:
    """Decode what must fail; return path and text."""
    with pytest.raises(Undecodable) as caught:
        decode(Signal.TRACES, document)
    return caught.value.field, str(caught.value)


class TestIds:
    """Item 29: ids are hex."""

    def test_otlp_29_hex_of_any_case(self):
        """Both cases are read; the length is judged with the other items' validity."""
        one = span(
            traceId="5B8EFFF798038103d269b633813fc60C",
            spanId="EEE19b7ec3c1b174",
            parentSpanId="eee19b7ec3c1b173",
        )
        assert one.trace_id.hex() == "5b8efff798038103d269b633813fc60c"
        assert one.span_id.hex() == "eee19b7ec3c1b174"
        assert one.parent_span_id.hex() == "eee19b7ec3c1b173"

    @pytest.mark.parametrize(
        "bad", ["W47/95gDgQPSabYzgT/GDA==", "abc", "zz", "5b 8e", " 5b8e", 7]
    )
    def test_otlp_29_what_is_not_hex_is_undecodable(self, bad):
        """Base64, as protobuf's stock JSON writes ids, is told by name."""
        path, text = wrong(spans({}, {"traceId": bad}))
        assert path == "resourceSpans[0].scopeSpans[0].spans[1].traceId"
        assert "hex digits" in text

    def test_otlp_29_wrong_length_is_a_partial_success(self):
        """As in protobuf, the span is rejected and the others are kept."""
        body = decode(Signal.TRACES, spans({"traceId": "5b8e"}))
        verdict = validate(Signal.TRACES, body, max_parsed_bytes=1 << 28)
        assert verdict.rejected == {"trace_id": 1}

    def test_ids_of_links_logs_and_exemplars_are_hex_too(self):
        """Wherever OTLP has an id it is hex in JSON."""
        assert span(links=[{"spanId": "0102"}]).links[0].span_id == b"\1\2"
        logs = decode(
            Signal.LOGS,
            {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": "0a"}]}]}]},
        )
        assert b"\n" in logs
        record = (
            logs_service_pb2.ExportLogsServiceRequest.FromString(logs)
            .resource_logs[0]
            .scope_logs[0]
            .log_records[0]
        )
        assert record.trace_id == b"\x0a"


class TestNumbers:
    """Items 30, 31 and 34: enums, integers and doubles."""

    def test_otlp_30_enums_are_integers(self):
        """A number is taken, even one that has no name yet."""
        assert span(kind=3).kind == 3
        assert span(kind=77).kind == 77

    @pytest.mark.parametrize("bad", ["SPAN_KIND_SERVER", "3", True, 1.5, 1 << 31])
    def test_otlp_30_enum_names_are_refused(self, bad):
        """A name or a string is an error that says where."""
        path, text = wrong(spans({"kind": bad}))
        assert path == "resourceSpans[0].scopeSpans[0].spans[0].kind"
        assert "expected an integer" in text

    @pytest.mark.parametrize(
        ("given", "expected"),
        [
            ("1544712660000000000", 1544712660000000000),
            (1544712660000000000, 1544712660000000000),
            ("18446744073709551615", (1 << 64) - 1),
            (5.0, 5),
            ("0", 0),
        ],
        ids=repr,
    )
    def test_otlp_31_64_bit_integers_as_number_or_string(self, given, expected):
        """Both ways mean the same."""
        assert span(startTimeUnixNano=given).start_time_unix_nano == expected

    @pytest.mark.parametrize(
        "bad",
        ["", "1.5", "0x10", " 1", "1_000", "١", "-1", -1, 1.5, True, [], "9" * 20]
        + ["18446744073709551616", 1e300],
        ids=repr,
    )
    def test_otlp_31_what_is_not_such_an_integer(self, bad):
        """Python's own generous reading of numbers is not OTLP's."""
        path, _ = wrong(spans({"startTimeUnixNano": bad}))
        assert path == "resourceSpans[0].scopeSpans[0].spans[0].startTimeUnixNano"

    @pytest.mark.parametrize(
        ("given", "expected"),
        [("-9223372036854775808", -(1 << 63)), (-7, -7), ("0", 0)],
    )
    def test_negative_integers(self, given, expected):
        """An integer value may have any sign, and zero is not absent."""
        read = value(intValue=given)
        assert read.WhichOneof("value") == "int_value"
        assert read.int_value == expected

    def test_huge_integers_are_refused(self):
        """Beyond 64 bits nothing is cut off in silence."""
        body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":[{"value":'
        body += b'{"intValue":123456789012345678901234567890}}]}]}]}]}'
        assert wrong(body)[0].endswith("attributes[0].value.intValue")

    @pytest.mark.parametrize(
        ("given", "expected"),
        [(1.5, 1.5), (3, 3.0), ("2.5", 2.5), ("-1e-3", -0.001), ("Infinity", math.inf)]
        + [("-Infinity", -math.inf)],
    )
    def test_otlp_34_doubles(self, given, expected):
        """A double is a number or a string, the infinities are strings."""
        assert value(doubleValue=given).double_value == expected

    def test_otlp_34_nan(self):
        """NaN is a string."""
        assert math.isnan(value(doubleValue="NaN").double_value)

    @pytest.mark.parametrize("bad", ["nan", "inf", "", "1_0", " 1", True, {}])
    def test_otlp_34_what_is_no_double(self, bad):
        """Other spellings are refused."""
        document = spans({"attributes": [{"value": {"doubleValue": bad}}]})
        assert "expected a number" in wrong(document)[1]


class TestValues:
    """Strings, bytes, booleans and containers."""

    @pytest.mark.parametrize("text", ["AP8=", "AP8", "-_8=", "+/8=", ""])
    def test_otlp_34_bytes_are_base64(self, text):
        """Both alphabets, with or without padding."""
        read = value(bytesValue=text)
        assert read.WhichOneof("value") == "bytes_value"
        expected = {"A": b"\x00\xff", "-": b"\xfb\xff", "+": b"\xfb\xff", "": b""}
        assert read.bytes_value == expected[text[:1]]

    @pytest.mark.parametrize("bad", ["A", "A*==", "AP 8", "é", 7])
    def test_otlp_34_what_is_not_base64(self, bad):
        """It is undecodable."""
        document = spans({"attributes": [{"value": {"bytesValue": bad}}]})
        assert "base64" in wrong(document)[1]

    def test_empty_and_false_values_are_present(self):
        """A value that equals its type's zero is still a value."""
        assert value(stringValue="").WhichOneof("value") == "string_value"
        assert value(boolValue=False).WhichOneof("value") == "bool_value"
        assert value(arrayValue={}).WhichOneof("value") == "array_value"
        assert value().WhichOneof("value") is None

    def test_only_one_value_may_be_given(self):
        """Two members of a oneof contradict each other."""
        document = spans(
            {"attributes": [{"value": {"intValue": 1, "boolValue": True}}]}
        )
        assert wrong(document) == (
            "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value",
            (
                "resourceSpans[0].scopeSpans[0].spans[0].attributes[0].value: "
                "only one of intValue and boolValue may be given"
            ),
        )

    def test_lone_surrogates_and_bad_utf8_are_undecodable(self):
        """Text that is not Unicode is refused, as in protobuf (item 39)."""
        for text in (b'"\\ud800"', b'"\xff"'):
            body = b'{"resourceSpans":[{"schemaUrl":' + text + b"}]}"
            assert wrong(body)[1].startswith("the body is not JSON: ")

    @pytest.mark.parametrize("arrays", range(43, 50))
    def test_otlp_40_depth_has_protobufs_bound(self, arrays, trace_request):
        """JSON and protobuf refuse exactly the same nesting."""
        request = trace_request()
        one = request.resource_spans[0].scope_spans[0].spans[0]
        inner = one.attributes.add(key="k").value
        document: dict[str, object] = {"stringValue": "x"}
        for _ in range(arrays):
            inner = inner.array_value.values.add()
            document = {"arrayValue": {"values": [document]}}
        inner.string_value = "x"
        fields = {
            "traceId": one.trace_id.hex(),
            "spanId": one.span_id.hex(),
            "name": "chat",
            "startTimeUnixNano": one.start_time_unix_nano,
            "endTimeUnixNano": one.end_time_unix_nano,
            "attributes": [{"key": "k", "value": document}],
        }

        def outcome(decode_body: Callable[[], bytes]) -> bytes | str:
            try:
                body = decode_body()
                return validate(Signal.TRACES, body, max_parsed_bytes=1 << 28).payload
            except Undecodable:
                return "undecodable"

        in_json = outcome(lambda: decode(Signal.TRACES, spans(fields)))
        assert in_json == outcome(request.SerializeToString)
        assert (in_json == "undecodable") == (arrays > 47)

    def test_deeply_nested_json_is_undecodable(self):
        """A document of brackets alone cannot exhaust the stack."""
        assert "not JSON" in wrong(b"[" * 100_000)[1]
        assert "not JSON" in wrong(b'{"a":' * 100_000)[1]


class TestNames:
    """Items 32 and 33, and what stands for nothing."""

    def test_otlp_32_only_lower_camel_case(self):
        """A snake_case name is an unknown field, even with a wrong value."""
        assert span(start_time_unix_nano={}, name="x").start_time_unix_nano == 0

    def test_otlp_33_unknown_fields_are_ignored(self):
        """At every level, whatever they hold."""
        assert span(name="x", newField={"a": [1]}, another=None).name == "x"

    def test_null_is_an_absent_field(self):
        """Null leaves a field out; in a list it is an empty message."""
        assert span(name=None, kind=None, attributes=None).name == ""
        request = decode(Signal.TRACES, spans(None, {"name": "b"}))
        read = trace_service_pb2.ExportTraceServiceRequest.FromString(request)
        names = [s.name for s in read.resource_spans[0].scope_spans[0].spans]
        assert names == ["", "b"]

    def test_the_last_of_equal_names_counts(self):
        """RFC 8259 leaves it open; like most readers we take the last."""
        body = b'{"resourceSpans":[{"schemaUrl":"a","schemaUrl":"b"}]}'
        read = trace_service_pb2.ExportTraceServiceRequest.FromString(
            decode(Signal.TRACES, body)
        )
        assert read.resource_spans[0].schema_url == "b"

    @pytest.mark.parametrize(
        ("document", "path", "text"),
        [
            ([], "", "expected an object (ExportTraceServiceRequest), got []"),
            (None, "", "expected an object (ExportTraceServiceRequest), got null"),
            ({"resourceSpans": {}}, "resourceSpans", "expected a list, got {}"),
            (
                {"resourceSpans": [7]},
                "resourceSpans[0]",
                "expected an object (ResourceSpans), got 7",
            ),
            (
                spans({"attributes": [{"key": "a"}, {"key": 1, "value": {}}]}),
                "resourceSpans[0].scopeSpans[0].spans[0].attributes[1].key",
                "expected a string, got 1",
            ),
        ],
    )
    def test_wrong_types_name_their_path(self, document, path, text):
        """The path and what was there instead."""
        assert wrong(document) == (path, f"{path}: {text}" if path else text)

    @pytest.mark.parametrize("body", [b"", b"{", b"{'a':1}", b"NaN", b"{}{}"])
    def test_what_is_not_json(self, body):
        """It is undecodable."""
        assert wrong(body)[1].startswith("the body is not JSON: ")


class TestMetrics:
    """The fields that only metrics have."""

    def test_every_kind_of_number(self):
        """Packed lists, optional zeros, zigzag integers."""
        point = {
            "count": "3",
            "sum": 0,
            "scale": -2,
            "positive": {"offset": -1, "bucketCounts": ["1", 300]},
            "explicitBounds": [1],
        }
        bounds = {"explicitBounds": [0.5, "Infinity"], "bucketCounts": [1, "2", 3]}
        document = {
            "resourceMetrics": [
                {
                    "scopeMetrics": [
                        {
                            "metrics": [
                                {"exponentialHistogram": {"dataPoints": [point]}},
                                {"histogram": {"dataPoints": [bounds]}},
                                {"gauge": {"dataPoints": [{"asInt": "-4"}]}},
                                {"sum": {"isMonotonic": True}},
                            ]
                        }
                    ]
                }
            ]
        }
        body = decode(Signal.METRICS, document)
        read = metrics_service_pb2.ExportMetricsServiceRequest.FromString(body)
        metrics = read.resource_metrics[0].scope_metrics[0].metrics
        exponential = metrics[0].exponential_histogram.data_points[0]
        assert (exponential.count, exponential.scale) == (3, -2)
        assert exponential.HasField("sum")
        assert exponential.positive.offset == -1
        assert exponential.positive.bucket_counts == [1, 300]
        histogram = metrics[1].histogram.data_points[0]
        assert histogram.explicit_bounds == [0.5, math.inf]
        assert histogram.bucket_counts == [1, 2, 3]
        assert metrics[2].gauge.data_points[0].as_int == -4
        assert metrics[3].sum.is_monotonic


class TestMemory:
    """A JSON text can be small and its objects huge."""

    @pytest.mark.parametrize("unit", [b"{},", b"[],", b'{"":0},', b'"a",'])
    def test_many_small_things_are_too_large(self, unit):
        """They are counted before they are parsed."""
        body = b'{"resourceSpans":[' + unit * 100_000 + b"{}]}"
        with pytest.raises(TooLarge) as caught:
            decode_json(Signal.TRACES, body, max_parsed_bytes=3 << 20)
        assert caught.value.reason == "parsed_bytes"

    def test_brackets_inside_of_strings_cost_nothing(self):
        """A long text that looks like JSON is but a text."""
        text = '[{"a":"b\\\\"},' * 20_000
        body = orjson.dumps(spans({"name": text}))
        read = decode_json(Signal.TRACES, body, max_parsed_bytes=3 * len(body))
        assert len(read) > len(text)
