"""Validation of protobuf requests: items 36 to 40 of the checklist."""

from typing import Any

import pytest
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2

from fleetspan_collector._signals import Signal
from fleetspan_collector.receivers import MAX_CONTAINER_DEPTH, Undecodable
from fleetspan_collector.receivers._validate import Verdict, validate
from fleetspan_collector.store._structure import VALUE_DEPTH

# 2262-04-11T23:47:16.854775807Z, the last instant of 64-bit nanoseconds.
LAST = 9_223_372_036_854_775_807


def check(signal: Signal, request: Any) -> Verdict:
    """Validate a request with plenty of room."""
    body = request if isinstance(request, bytes) else request.SerializeToString()
    return validate(signal, body, max_parsed_bytes=1 << 28)


class TestSpans:
    """Which spans are kept."""

    def test_otlp_36_a_sound_request_keeps_its_bytes(self, trace_request):
        """The client's own bytes go on, unknown fields and odd encodings included."""
        body = trace_request().SerializeToString() + b"\xf8\x07\x01"
        verdict = check(Signal.TRACES, body)
        assert verdict.payload is body
        assert (verdict.rows, verdict.rejected_items) == (1, 0)

    @pytest.mark.parametrize(
        ("change", "reason"),
        [
            ({"trace_id": b""}, "trace_id"),
            ({"trace_id": bytes(16)}, "trace_id"),
            ({"trace_id": b"\1" * 15}, "trace_id"),
            ({"trace_id": b"\1" * 17}, "trace_id"),
            ({"span_id": b""}, "span_id"),
            ({"span_id": bytes(8)}, "span_id"),
            ({"span_id": b"\1" * 16}, "span_id"),
            ({"parent_span_id": b"\1" * 7}, "parent_span_id"),
            ({"start_time_unix_nano": 0}, "start_time"),
            ({"start_time_unix_nano": LAST + 1}, "time_range"),
            ({"end_time_unix_nano": (1 << 64) - 1}, "time_range"),
            ({"events": [{"time_unix_nano": LAST + 1}]}, "time_range"),
        ],
    )
    def test_otlp_37_38_wrong_ids_and_times_are_rejected_by_count(
        self, trace_request, change, reason
    ):
        """The wrong span goes, its neighbours stay."""
        request = trace_request({"name": "a"}, change, {"name": "b"})
        verdict = check(Signal.TRACES, request)
        assert verdict.rejected == {reason: 1}
        assert verdict.rows == 2
        assert verdict.payload == (
            trace_request({"name": "a"}, {"name": "b"}).SerializeToString()
        )

    @pytest.mark.parametrize(
        "change",
        [
            {"parent_span_id": bytes(8)},
            {"parent_span_id": b"\1" * 8},
            {"start_time_unix_nano": LAST, "end_time_unix_nano": LAST},
            {"end_time_unix_nano": 0},
            {"end_time_unix_nano": 1},
            {"name": ""},
        ],
    )
    def test_otlp_38_odd_but_usable_spans_are_kept(self, trace_request, change):
        """A zero parent means none; an end before the start is kept as sent."""
        verdict = check(Signal.TRACES, trace_request(change))
        assert (verdict.rows, verdict.rejected_items) == (1, 0)

    def test_unknown_fields_survive_a_rejection(self, trace_request):
        """Rewriting a request loses nothing of what stays."""
        request = trace_request({}, {"trace_id": b""})
        unknown = b"\xfa\x3e\x03abc"  # field 1007, as a later OTLP may have
        span = request.resource_spans[0].scope_spans[0].spans[0]
        span.MergeFromString(unknown)
        assert unknown in check(Signal.TRACES, request).payload

    def test_only_the_first_rejections_are_described(self, trace_request):
        """The text stays short however many there are; the count is exact."""
        verdict = check(Signal.TRACES, trace_request(*[{"trace_id": b""}] * 50))
        assert verdict.rejected == {"trace_id": 50}
        assert len(verdict.first) == 3

    def test_every_second_of_many_spans(self, trace_request):
        """The copying way of taking items out keeps the right ones, in order."""
        changes = [
            {"name": str(i), "trace_id": b"" if i % 2 else b"\1" * 16}
            for i in range(20_000)
        ]
        verdict = check(Signal.TRACES, trace_request(*changes))
        kept = trace_service_pb2.ExportTraceServiceRequest.FromString(verdict.payload)
        names = [s.name for s in kept.resource_spans[0].scope_spans[0].spans]
        assert names == [str(i) for i in range(0, 20_000, 2)]


class TestOtherSignals:
    """Which log records and data points are kept."""

    def test_log_records(self):
        """Ids are optional on a record but of the right length; times are bounded."""
        request = logs_service_pb2.ExportLogsServiceRequest()
        records = request.resource_logs.add().scope_logs.add().log_records
        records.add(severity_text="no ids, no time")
        records.add(trace_id=b"\1" * 16, span_id=b"\1" * 8, time_unix_nano=1)
        records.add(trace_id=bytes(16), span_id=bytes(8))
        records.add(trace_id=b"\1" * 8)
        records.add(span_id=b"\1")
        records.add(time_unix_nano=LAST + 1)
        records.add(observed_time_unix_nano=LAST + 1)
        verdict = check(Signal.LOGS, request)
        assert verdict.rows == 3
        assert verdict.rejected == {
            "log_trace_id": 1,
            "log_span_id": 1,
            "time_range": 2,
        }

    def test_data_points(self):
        """All five kinds of metric are counted by data point."""
        request = metrics_service_pb2.ExportMetricsServiceRequest()
        metrics = request.resource_metrics.add().scope_metrics.add().metrics
        metrics.add(name="no data")
        for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary"):
            points = getattr(metrics.add(), kind).data_points
            points.add(time_unix_nano=1)
            points.add(time_unix_nano=LAST + 1)
            points.add(time_unix_nano=2, start_time_unix_nano=LAST + 1)
        verdict = check(Signal.METRICS, request)
        assert verdict.rows == 5
        assert verdict.rejected == {"time_range": 10}
        assert verdict.first[0] == (
            "resource_metrics[0].scope_metrics[0].metrics[1].gauge.data_points[1]: "
            "a time is past 2262-04-11"
        )


class TestEncoding:
    """Bytes that are not what they should be."""

    @pytest.mark.parametrize("field", [b"\x2a", b"\x1a"])
    def test_otlp_39_invalid_utf8_is_undecodable(self, field):
        """A string that is not UTF-8 makes the whole request undecodable."""
        span = field + b"\x02\xc3\x28"
        body = b"\x0a\x08\x12\x06\x12\x04" + span
        with pytest.raises(Undecodable) as caught:
            check(Signal.TRACES, body)
        assert str(caught.value) == (
            "the body is not a protobuf ExportTraceServiceRequest: "
            "String field had bad UTF-8"
        )

    def test_otlp_39_invalid_utf8_deep_in_a_value(self, trace_request):
        """It is found below the depth that is looked at, too."""
        request = nested(trace_request(), "array_value", 5, b"bad string")
        body = request.SerializeToString().replace(b"bad string", b"bad strin\xff")
        with pytest.raises(Undecodable, match="bad UTF-8"):
            check(Signal.TRACES, body)


def nested(request: Any, kind: str, containers: int, leaf: bytes = b"x") -> Any:
    """Give the first span an attribute nested so many containers deep."""
    span = request.resource_spans[0].scope_spans[0].spans[0]
    value = span.attributes.add(key="deep").value
    for _ in range(containers):
        inner = getattr(value, kind).values.add()
        value = inner.value if kind == "kvlist_value" else inner
    value.string_value = leaf.decode()
    return request


class TestDepth:
    """Values nested deeper than the store reads."""

    @pytest.mark.parametrize("kind", ["array_value", "kvlist_value"])
    @pytest.mark.parametrize("containers", [0, 1])
    def test_one_container_is_kept(self, trace_request, kind, containers):
        """Scalars, and arrays and maps of scalars, go on untouched."""
        body = nested(trace_request(), kind, containers).SerializeToString()
        verdict = check(Signal.TRACES, body)
        assert verdict.payload is body
        assert verdict.rewritten_values == 0

    @pytest.mark.parametrize(
        ("kind", "text"),
        [("array_value", '[["x"]]'), ("kvlist_value", '{"":{"":"x"}}')],
    )
    def test_a_container_in_a_container_becomes_json_text(
        self, trace_request, kind, text
    ):
        """The whole value turns into one string, so that no text is quoted twice."""
        verdict = check(Signal.TRACES, nested(trace_request(), kind, 2))
        assert verdict.rewritten_values == 1
        assert verdict.payload == (
            nested(trace_request(), kind, 0, text.encode()).SerializeToString()
        )

    def test_json_text_of_every_kind_of_value(self, trace_request):
        """As OpenTelemetry's collector writes it: bytes in base64, integers as numbers."""
        request = trace_request()
        span = request.resource_spans[0].scope_spans[0].spans[0]
        outer = span.attributes.add(key="k").value.array_value.values.add()
        deep = outer.array_value.values.add().kvlist_value.values
        any_value: Any = common_pb2.AnyValue
        for key, value in {
            "s": any_value(string_value='é"'),
            "b": any_value(bool_value=False),
            "i": any_value(int_value=-(1 << 63)),
            "d": any_value(double_value=0.5),
            "n": any_value(double_value=float("nan")),
            "-": any_value(double_value=float("-inf")),
            "y": any_value(bytes_value=b"\x00\xff"),
            "a": any_value(array_value={"values": [any_value(int_value=1)]}),
            "e": any_value(),
        }.items():
            deep.add(key=key).value.CopyFrom(value)
        verdict = check(Signal.TRACES, request)
        kept = trace_service_pb2.ExportTraceServiceRequest.FromString(verdict.payload)
        attribute = kept.resource_spans[0].scope_spans[0].spans[0].attributes[0]
        assert attribute.value.string_value == (
            '[[{"s":"é\\"","b":false,"i":-9223372036854775808,"d":0.5,"n":"NaN",'
            '"-":"-Infinity","y":"AP8=","a":[1],"e":null}]]'
        )

    def test_every_place_of_a_value_is_looked_at(self):
        """Resource, scope, attributes and body of a log record."""
        request = logs_service_pb2.ExportLogsServiceRequest()
        logs = request.resource_logs.add()
        scope = logs.scope_logs.add()
        record = scope.log_records.add()
        for value in (
            logs.resource.attributes.add().value,
            scope.scope.attributes.add().value,
            record.attributes.add().value,
            record.body,
        ):
            two = value.array_value.values.add().array_value.values
            two.add().array_value.values.add(int_value=1)
            two.add().kvlist_value.values.add(key="k")
        verdict = check(Signal.LOGS, request)
        assert verdict.rewritten_values == 4
        kept = logs_service_pb2.ExportLogsServiceRequest.FromString(verdict.payload)
        body = kept.resource_logs[0].scope_logs[0].log_records[0].body
        assert body.string_value == '[[[1],{"k":null}]]'

    def test_deep_and_rejected_together(self, trace_request):
        """Taking items out does not confuse which values are deep."""
        request = nested(trace_request({"trace_id": b""}, {}), "array_value", 3)
        spans = request.resource_spans[0].scope_spans[0].spans
        spans[1].attributes.extend(spans[0].attributes)
        verdict = check(Signal.TRACES, request)
        assert verdict.rejected == {"trace_id": 1}
        assert verdict.rewritten_values == 1
        assert verdict.payload == (
            nested(trace_request(), "array_value", 0, b'[[["x"]]]').SerializeToString()
        )

    def test_the_store_reads_the_same_depth(self):
        """What is kept as a container is what the store's structure has room for."""
        assert MAX_CONTAINER_DEPTH == VALUE_DEPTH == 1

    def test_otlp_40_nesting_beyond_protobuf_is_undecodable(self, trace_request):
        """Protobuf stops at 100 messages, here 47 nested arrays; so do we."""
        at_limit = nested(trace_request(), "array_value", 47)
        assert check(Signal.TRACES, at_limit).rewritten_values == 1
        with pytest.raises(Undecodable, match="nest deeper than 100 messages"):
            check(Signal.TRACES, nested(trace_request(), "array_value", 48))

    def test_a_large_request_is_looked_at_as_well(self, trace_request):
        """Above 1 MiB another way of asking for depth is used, with equal answers."""
        big = {"name": "x" * (2 << 20)}
        assert check(Signal.TRACES, trace_request(big)).rewritten_values == 0
        deep = nested(trace_request(big), "array_value", 3)
        assert check(Signal.TRACES, deep).rewritten_values == 1
