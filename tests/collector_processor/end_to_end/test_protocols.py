"""The same telemetry by each protocol gives the same rows, and these are the right ones.

Three collectors, one for each protocol: sent to one, equal requests would be one.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf.message import Message
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import (
    OTLPLogExporter as GrpcLogExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetricExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http._log_exporter import (
    OTLPLogExporter as HttpLogExporter,
)
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetricExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanKind, StatusCode

from ..fleet import attributes, logs, traces, value
from ..node import install_packages
from ..otlp_json import encode
from ..running import Collector, environment

pytestmark = [pytest.mark.integration, pytest.mark.slow]

JAVASCRIPT: Final = Path(__file__).parents[1] / "javascript_sdk"
PROTOCOLS: Final = ("grpc", "http/protobuf", "http/json")
NOT_COMPARED: Final = "BatchId, BatchOrdinal, ReceivedAt"
# Past, and whole seconds plus something: old rows are kept where retention is off.
NOW: Final = 1_700_000_000_000_000_000
STUBS: Final[dict[str, Any]] = {
    "traces": trace_service_pb2_grpc.TraceServiceStub,
    "logs": logs_service_pb2_grpc.LogsServiceStub,
    "metrics": metrics_service_pb2_grpc.MetricsServiceStub,
}

DELTA: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_DELTA
CUMULATIVE: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

Collectors = dict[str, Collector]
Rows = list[dict[str, Any]]


@pytest.fixture(scope="module")
def collectors(tmp_path_factory: pytest.TempPathFactory) -> Generator[Collectors]:
    """A collector for each protocol, all with an empty store that forgets nothing."""
    folder = tmp_path_factory.mktemp("protocols")
    forever = [
        f"--set=retention_{each}_days=0" for each in ("traces", "logs", "metrics")
    ]
    started = {
        protocol: Collector(folder / protocol.replace("/", "-"), *forever)
        for protocol in PROTOCOLS
    }
    try:
        for each in started.values():
            each.wait_until_ready()
        yield started
    finally:
        for each in started.values():
            each.kill()


def send(collectors: Collectors, signal_name: str, request: Message) -> None:
    """Send a request to every collector by its protocol."""
    where = collectors["grpc"].endpoint("otlp_grpc")
    with grpc.insecure_channel(where) as channel:
        answer = STUBS[signal_name](channel).Export(request, timeout=30)
        assert answer.SerializeToString() == b""
    payload = request.SerializeToString()
    collectors["http/protobuf"].post(signal_name, payload)
    collectors["http/json"].post(signal_name, encode(request), "application/json")


def rows(collectors: Collectors, table: str, condition: str) -> Rows:
    """Return the rows that every collector has, which must be the same."""
    query = (
        f"SELECT * EXCEPT ({NOT_COMPARED}) FROM otel.{table}"
        f" WHERE {condition} ORDER BY ALL"
    )
    for each in collectors.values():
        each.settle()
    found = {protocol: each.sql(query) for protocol, each in collectors.items()}
    assert found["http/protobuf"] == found["grpc"]
    assert found["http/json"] == found["grpc"]
    return found["grpc"]


EVERY_KIND: Final[dict[str, Any]] = {
    "string": 'Zürich ☃ 🚀 " \\ / \n \t \x01',
    "string.empty": "",
    "int": 42,
    "int.zero": 0,
    "int.least": -(2**63),
    "int.most": 2**63 - 1,
    "double": 0.1,
    "double.whole": 3.0,
    "double.zero": 0.0,
    "bool": True,
    "bool.false": False,
    "bytes": b"\x00\xff",
    "bytes.empty": b"",
    "nothing": None,
    "array": ["a", 1, 2.5, False, b"\x01", "", 0, None],
    "array.of.arrays": [["a"], [1, 2], [None, False]],
    "map": {"a": 1, 'b"': "x\\", "c": None, "d": 0.5, "e": False},
    "map.of.maps": {"a": {"b": 1}, "c": [True], "d": {"e": b"\x00"}},
    "map.deep": {"a": {"b": ["c", {"d": 1}]}, "e": ["f"]},
    # The engine cannot tell these from nothing.
    "array.empty": [],
    "map.empty": {},
}
EVERY_KIND_AS_TEXT: Final = {
    "string": 'Zürich ☃ 🚀 " \\ / \n \t \x01',
    "string.empty": "",
    "int": "42",
    "int.zero": "0",
    "int.least": "-9223372036854775808",
    "int.most": "9223372036854775807",
    "double": "0.1",
    "double.whole": "3",
    "double.zero": "0",
    "bool": "true",
    "bool.false": "false",
    "bytes": "AP8=",
    "bytes.empty": "",
    "nothing": "",
    "array": '["a",1,2.5,false,"AQ==","",0,null]',
    "array.of.arrays": '[["a"],[1,2],[null,false]]',
    "map": '{"a":1,"b\\"":"x\\\\","c":null,"d":0.5,"e":false}',
    "map.of.maps": '{"a":{"b":1},"c":[true],"d":{"e":"AA=="}}',
    "map.deep": '{"a":{"b":["c",{"d":1}]},"e":["f"]}',
    "array.empty": "",
    "map.empty": "",
}


def test_span_of_every_kind(collectors: Collectors) -> None:
    """Each field and each kind of attribute stands in its column, as text."""
    trace = "0af7651916cd43dd8448eb211c80319c"
    request = traces([], {"service.name": "kinds", "pid": 7})
    scope = request.resource_spans[0].scope_spans[0]
    scope.scope.version = "1.2.3"
    full = scope.spans.add(
        trace_id=bytes.fromhex(trace),
        span_id=bytes.fromhex("b7ad6b7169203331"),
        parent_span_id=bytes.fromhex("00f067aa0ba902b7"),
        trace_state="vendor=1",
        flags=257,
        name="everything",
        kind=Span.SPAN_KIND_CLIENT,
        start_time_unix_nano=NOW + 1,
        end_time_unix_nano=NOW + 1_500_000_002,
        attributes=attributes(EVERY_KIND),
        status=Status(code=Status.STATUS_CODE_ERROR, message="no way"),
    )
    full.events.add(
        time_unix_nano=NOW + 3, name="first", attributes=attributes({"n": 1})
    )
    full.events.add(time_unix_nano=NOW + 4, name="second")
    full.links.add(
        trace_id=bytes(15) + b"\x01",
        span_id=bytes(7) + b"\x02",
        trace_state="a=b",
        attributes=attributes({"why": "cause"}),
    )
    send(collectors, "traces", request)
    (row,) = rows(collectors, "otel_traces", f"TraceId = '{trace}'")
    assert row.pop("SpanAttributes") == EVERY_KIND_AS_TEXT
    assert row == {
        "Timestamp": "2023-11-14 22:13:20.000000001",
        "TraceId": trace,
        "SpanId": "b7ad6b7169203331",
        "ParentSpanId": "00f067aa0ba902b7",
        "TraceState": "vendor=1",
        "SpanName": "everything",
        "SpanKind": "Client",
        "ServiceName": "kinds",
        "ResourceAttributes": {"service.name": "kinds", "pid": "7"},
        "ScopeName": "tests",
        "ScopeVersion": "1.2.3",
        "Duration": 1_500_000_001,
        "StatusCode": "Error",
        "StatusMessage": "no way",
        "Events.Timestamp": [
            "2023-11-14 22:13:20.000000003",
            "2023-11-14 22:13:20.000000004",
        ],
        "Events.Name": ["first", "second"],
        "Events.Attributes": [{"n": "1"}, {}],
        "Links.TraceId": ["00000000000000000000000000000001"],
        "Links.SpanId": ["0000000000000002"],
        "Links.TraceState": ["a=b"],
        "Links.Attributes": [{"why": "cause"}],
        "Tenant": "",
    }


def test_bare_spans(collectors: Collectors) -> None:
    """Kinds and status codes have the names of the standard; absent is empty."""
    trace = "1" * 32
    request = traces([], {})
    scope = request.resource_spans[0].scope_spans[0]
    for number in range(6):
        scope.spans.add(
            trace_id=bytes.fromhex(trace),
            span_id=bytes(7) + bytes([number + 1]),
            kind=number,
            start_time_unix_nano=NOW,
            end_time_unix_nano=NOW,
            status=Status(code=Status.StatusCode.values()[number % 3])
            if number
            else None,
        )
    send(collectors, "traces", request)
    found = rows(collectors, "otel_traces", f"TraceId = '{trace}'")
    assert [(row["SpanKind"], row["StatusCode"]) for row in found] == [
        ("Unspecified", "Unset"),
        ("Internal", "Ok"),
        ("Server", "Error"),
        ("Client", "Unset"),
        ("Producer", "Ok"),
        ("Consumer", "Error"),
    ]
    assert {
        (row["ParentSpanId"], row["ServiceName"], row["SpanName"], row["Duration"])
        for row in found
    } == {("", "", "", 0)}


def test_logs_of_every_kind(collectors: Collectors) -> None:
    """Bodies of every kind are text; the time is the event's, else when it was seen."""
    request = logs([], {"service.name": "kinds-of-logs"})
    of_resource = request.resource_logs[0]
    of_resource.schema_url = "https://resource"
    scope = of_resource.scope_logs[0]
    scope.schema_url = "https://scope"
    scope.scope.version = "2"
    scope.scope.attributes.extend(attributes({"scoped": [1]}))
    for number, (name, body) in enumerate(EVERY_KIND.items()):
        scope.log_records.add(
            time_unix_nano=NOW + number,
            body=value(body),
            attributes=attributes({"name": name}),
        )
    scope.log_records.append(
        LogRecord(
            observed_time_unix_nano=NOW + 999,
            severity_number=SeverityNumber.SEVERITY_NUMBER_ERROR,
            severity_text="ERROR",
            flags=1,
            trace_id=b"\x01" * 16,
            span_id=b"\x02" * 8,
            event_name="fleetspan.agent.start",
            attributes=attributes(EVERY_KIND),
        )
    )
    send(collectors, "logs", request)
    found = rows(collectors, "otel_logs", "ServiceName = 'kinds-of-logs'")
    last = found.pop()
    assert {row["LogAttributes"]["name"]: row["Body"] for row in found} == (
        EVERY_KIND_AS_TEXT
    )
    assert last.pop("LogAttributes") == EVERY_KIND_AS_TEXT
    assert last == {
        "Timestamp": "2023-11-14 22:13:20.000000999",
        "TraceId": "01" * 16,
        "SpanId": "02" * 8,
        "TraceFlags": 1,
        "SeverityText": "ERROR",
        "SeverityNumber": 17,
        "ServiceName": "kinds-of-logs",
        "Body": "",
        "ResourceSchemaUrl": "https://resource",
        "ResourceAttributes": {"service.name": "kinds-of-logs"},
        "ScopeSchemaUrl": "https://scope",
        "ScopeName": "tests",
        "ScopeVersion": "2",
        "ScopeAttributes": {"scoped": "[1]"},
        "EventName": "fleetspan.agent.start",
        "Tenant": "",
    }


def _every_metric() -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    of_resource = request.resource_metrics.add(schema_url="https://resource")
    of_resource.resource.attributes.extend(attributes({"service.name": "meters"}))
    scope = of_resource.scope_metrics.add(schema_url="https://scope")
    scope.scope.name = "tests"
    scope.scope.dropped_attributes_count = 3
    point: dict[str, Any] = {
        "start_time_unix_nano": NOW - 10**9,
        "time_unix_nano": NOW,
        "attributes": attributes({"model": "m", "ok": True}),
        "flags": 1,
    }
    metrics = scope.metrics
    gauge = metrics.add(name="gauge", description="a gauge", unit="1").gauge
    gauge.data_points.add(as_double=2.5, **point)
    gauge.data_points.add(as_int=-7, time_unix_nano=NOW + 10**9)
    total = metrics.add(name="sum").sum
    total.aggregation_temporality = CUMULATIVE
    total.is_monotonic = True
    counted = total.data_points.add(as_int=0, **point)
    counted.exemplars.add(
        as_double=0.5,
        time_unix_nano=NOW,
        span_id=b"\x02" * 8,
        trace_id=b"\x01" * 16,
        filtered_attributes=attributes({"a": 1}),
    )
    histogram = metrics.add(name="histogram").histogram
    histogram.aggregation_temporality = DELTA
    histogram.data_points.add(
        count=3,
        sum=6.5,
        min=0.5,
        max=4,
        bucket_counts=[1, 0, 2],
        explicit_bounds=[1, 2],
        **point,
    )
    exponential = metrics.add(name="exponential").exponential_histogram
    exponential.aggregation_temporality = CUMULATIVE
    spread = exponential.data_points.add(
        count=5, sum=1, scale=-1, zero_count=2, **point
    )
    spread.positive.offset = -3
    spread.positive.bucket_counts.extend([1, 2])
    spread.negative.offset = 4
    spread.negative.bucket_counts.extend([7])
    summary = metrics.add(name="summary").summary.data_points.add(
        count=2, sum=3.5, **point
    )
    summary.quantile_values.add(quantile=0.5, value=1.5)
    summary.quantile_values.add(quantile=1, value=2)
    return request


METRIC: Final = {
    "ResourceAttributes": {"service.name": "meters"},
    "ResourceSchemaUrl": "https://resource",
    "ScopeName": "tests",
    "ScopeVersion": "",
    "ScopeAttributes": {},
    "ScopeDroppedAttrCount": 3,
    "ScopeSchemaUrl": "https://scope",
    "ServiceName": "meters",
    "MetricDescription": "",
    "MetricUnit": "",
    "Attributes": {"model": "m", "ok": "true"},
    "StartTimeUnix": "2023-11-14 22:13:19",
    "TimeUnix": "2023-11-14 22:13:20",
    "Flags": 1,
    "Tenant": "",
}
NO_EXEMPLARS: Final[dict[str, Any]] = {
    "Exemplars.FilteredAttributes": [],
    "Exemplars.TimeUnix": [],
    "Exemplars.Value": [],
    "Exemplars.SpanId": [],
    "Exemplars.TraceId": [],
}


def test_metrics_of_every_kind(collectors: Collectors) -> None:
    """Each kind of point stands whole in the table of its kind."""
    send(collectors, "metrics", _every_metric())
    where = "ServiceName = 'meters'"
    described = {"MetricName": "gauge", "MetricDescription": "a gauge"}
    assert rows(collectors, "otel_metrics_gauge", where) == [
        METRIC
        | NO_EXEMPLARS
        | described
        | {
            "MetricUnit": "1",
            "Attributes": {},
            "StartTimeUnix": "1970-01-01 00:00:00",
            "TimeUnix": "2023-11-14 22:13:21",
            "Flags": 0,
            "Value": -7,
        },
        METRIC | NO_EXEMPLARS | described | {"MetricUnit": "1", "Value": 2.5},
    ]
    assert rows(collectors, "otel_metrics_sum", where) == [
        METRIC
        | {
            "MetricName": "sum",
            "Value": 0,
            "Exemplars.FilteredAttributes": [{"a": "1"}],
            "Exemplars.TimeUnix": ["2023-11-14 22:13:20"],
            "Exemplars.Value": [0.5],
            "Exemplars.SpanId": ["02" * 8],
            "Exemplars.TraceId": ["01" * 16],
            "AggregationTemporality": 2,
            "IsMonotonic": True,
        }
    ]
    assert rows(collectors, "otel_metrics_histogram", where) == [
        METRIC
        | NO_EXEMPLARS
        | {
            "MetricName": "histogram",
            "Count": 3,
            "Sum": 6.5,
            "Min": 0.5,
            "Max": 4,
            "BucketCounts": [1, 0, 2],
            "ExplicitBounds": [1, 2],
            "AggregationTemporality": 1,
        }
    ]
    assert rows(collectors, "otel_metrics_exponential_histogram", where) == [
        METRIC
        | NO_EXEMPLARS
        | {
            "MetricName": "exponential",
            "Count": 5,
            "Sum": 1,
            "Min": 0,
            "Max": 0,
            "Scale": -1,
            "ZeroCount": 2,
            "PositiveOffset": -3,
            "NegativeOffset": 4,
            "PositiveBucketCounts": [1, 2],
            "NegativeBucketCounts": [7],
            "AggregationTemporality": 2,
        }
    ]
    assert rows(collectors, "otel_metrics_summary", where) == [
        METRIC
        | {
            "MetricName": "summary",
            "Count": 2,
            "Sum": 3.5,
            "ValueAtQuantiles.Quantile": [0.5, 1],
            "ValueAtQuantiles.Value": [1.5, 2],
        }
    ]


RESOURCE: Final = Resource({"service.name": "python-sdk", "process.pid": 7})


def exporters(collectors: Collectors, grpc_kind: Any, http_kind: Any, path: str) -> Any:
    """Make the SDK's exporters for the collectors of gRPC and of protobuf."""
    grpc_address = collectors["grpc"].endpoint("otlp_grpc")
    http_address = collectors["http/protobuf"].endpoint("otlp_http")
    return (
        grpc_kind(endpoint=f"http://{grpc_address}", insecure=True),
        http_kind(endpoint=f"http://{http_address}/v1/{path}"),
    )


class TestPythonSdk:
    """The plain OpenTelemetry SDK of Python."""

    def test_spans(self, collectors: Collectors) -> None:
        """Spans of the SDK are the same rows by every protocol."""
        memory = InMemorySpanExporter()
        provider = TracerProvider(resource=RESOURCE)
        provider.add_span_processor(SimpleSpanProcessor(memory))
        tracer = provider.get_tracer("tests", "1")
        with tracer.start_as_current_span("agent", kind=SpanKind.SERVER) as agent:
            agent.set_attributes({"a": [1, 2], "b": (True,), "c": 0.5, "d": "x"})
            agent.add_event("decision", {"why": "because"})
            link = Link(agent.get_span_context(), {"to": "agent"})
            with tracer.start_as_current_span("chat", links=[link]) as chat:
                chat.set_status(StatusCode.ERROR, "too long")
        finished = memory.get_finished_spans()
        for exporter in exporters(
            collectors, GrpcSpanExporter, HttpSpanExporter, "traces"
        ):
            assert exporter.export(finished).name == "SUCCESS"
            exporter.shutdown()
        collectors["http/json"].post(
            "traces", encode(encode_spans(finished)), "application/json"
        )
        provider.shutdown()
        found = rows(collectors, "otel_traces", "ServiceName = 'python-sdk'")
        assert [
            (r["SpanName"], r["SpanKind"], r["StatusCode"], r["StatusMessage"])
            for r in found
        ] == [
            ("agent", "Server", "Unset", ""),
            ("chat", "Internal", "Error", "too long"),
        ]
        assert found[0]["SpanAttributes"] == {
            "a": "[1,2]",
            "b": "[true]",
            "c": "0.5",
            "d": "x",
        }
        assert found[0]["Events.Name"] == ["decision"]
        assert found[1]["Links.SpanId"] == [found[0]["SpanId"]]
        assert found[1]["ParentSpanId"] == found[0]["SpanId"]

    def test_logs(self, collectors: Collectors) -> None:
        """Log records of the SDK are the same rows by every protocol."""
        memory = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
        provider = LoggerProvider(resource=RESOURCE)
        provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
        provider.get_logger("tests").emit(
            timestamp=NOW,
            body={"a": [1, None], "b": {"c": 0.5}},
            event_name="tests.started",
        )
        batch = memory.get_finished_logs()
        for exporter in exporters(collectors, GrpcLogExporter, HttpLogExporter, "logs"):
            assert exporter.export(batch).name == "SUCCESS"
            exporter.shutdown()
        collectors["http/json"].post(
            "logs", encode(encode_logs(batch)), "application/json"
        )
        provider.shutdown()
        (row,) = rows(collectors, "otel_logs", "ServiceName = 'python-sdk'")
        assert row["Body"] == '{"a":[1,null],"b":{"c":0.5}}'
        assert row["EventName"] == "tests.started"

    def test_metrics(self, collectors: Collectors) -> None:
        """Points of the SDK are the same rows by every protocol."""
        reader = InMemoryMetricReader()
        provider = MeterProvider([reader], resource=RESOURCE)
        meter = provider.get_meter("tests")
        meter.create_counter("calls").add(3, {"model": "a"})
        meter.create_histogram("tokens").record(5, {"model": "a"})
        meter.create_gauge("queue").set(2)
        data = reader.get_metrics_data()
        assert data is not None
        for exporter in exporters(
            collectors, GrpcMetricExporter, HttpMetricExporter, "metrics"
        ):
            assert exporter.export(data).name == "SUCCESS"
            exporter.shutdown()
        collectors["http/json"].post(
            "metrics", encode(encode_metrics(data)), "application/json"
        )
        provider.shutdown()
        where = (
            "ServiceName = 'python-sdk' AND MetricName IN ('calls', 'tokens', 'queue')"
        )
        (counter,) = rows(collectors, "otel_metrics_sum", where)
        (histogram,) = rows(collectors, "otel_metrics_histogram", where)
        (gauge,) = rows(collectors, "otel_metrics_gauge", where)
        assert (counter["Value"], counter["IsMonotonic"]) == (3, True)
        assert (histogram["Count"], histogram["Sum"], histogram["Max"]) == (1, 5, 5)
        assert gauge["Value"] == 2


@pytest.fixture(scope="module")
def javascript() -> Path:
    """The folder of the script, with the SDK installed."""
    install_packages(JAVASCRIPT)
    return JAVASCRIPT


@pytest.mark.node
def test_javascript_sdk(collectors: Collectors, javascript: Path) -> None:
    """Spans of the plain OpenTelemetry SDK of JavaScript are the same by every protocol."""
    for protocol in PROTOCOLS:
        kind = "otlp_grpc" if protocol == "grpc" else "otlp_http"
        address = collectors[protocol].endpoint(kind)
        done = subprocess.run(
            ["node", "export_spans.mjs"],
            cwd=javascript,
            env=environment(
                OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
                OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{address}",
            ),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)["spans"]
    found = rows(collectors, "otel_traces", "ServiceName = 'javascript'")
    columns = ("TraceId", "SpanId", "ParentSpanId", "SpanName")
    assert sorted([row[name] for name in columns] for row in found) == sorted(told)
    by_name = {row["SpanName"]: row for row in found}
    assert {k: v for k, v in by_name["invoke_agent researcher"]["SpanAttributes"].items()
            if "." not in k} == {
        "empty": "", "unicode": "Zürich ☃ 🚀", "flag": "false", "zero": "0",
        "negative": "-5", "ratio": "0.25", "numbers": "[1,2,3]",
        "mixed": '["a","","c"]',
    }  # fmt: skip
    chat = by_name["chat gpt-5"]
    assert (chat["SpanKind"], chat["StatusCode"]) == ("Client", "Ok")
    assert chat["Timestamp"] == "2023-11-14 22:13:20.002000789"
    assert chat["Events.Attributes"] == [{"fleetspan.decision.kind": "plan"}]
    assert chat["Links.Attributes"] == [{"why": "cause"}]
    assert by_name["execute_tool search"]["StatusMessage"] == "timed out"
