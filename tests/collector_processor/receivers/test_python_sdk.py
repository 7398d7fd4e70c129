"""The stock OpenTelemetry Python SDK, which knows nothing of Fleetspan."""

import asyncio
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import (
    OTLPLogExporter as GrpcLogExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetricExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import (
    OTLPSpanExporter as GrpcSpanExporter,
)
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import (
    OTLPLogExporter as HttpLogExporter,
)
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetricExporter,
)
from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
    OTLPSpanExporter as HttpSpanExporter,
)
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fleetspan_collector._signals import Signal

START = 1_700_000_000_000_000_000


@pytest.fixture
def spans():
    """Three finished spans: a parent, a child and an event."""
    memory = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("agent", start_time=START) as agent:
        agent.add_event("decision", {"why": "because"})
        with tracer.start_as_current_span("chat") as chat:
            chat.set_attributes({"tokens": 7, "reasons": ["stop"], "cost": 0.5})
    provider.shutdown()
    return memory.get_finished_spans()


def grpc_exporter(kind: Any, collector: Any, **options: object) -> Any:
    """Build a gRPC exporter for the running receiver."""
    endpoint = f"http://127.0.0.1:{collector.grpc.port}"
    return kind(endpoint=endpoint, insecure=True, **options)


def http_exporter(kind: Any, collector: Any, signal: str, **options: object) -> Any:
    """Build an HTTP exporter for the running receiver."""
    endpoint = f"http://127.0.0.1:{collector.http.port}/v1/{signal}"
    return kind(endpoint=endpoint, **options)


class TestTraces:
    """Spans."""

    async def test_otlp_35_grpc_and_http_give_the_same_bytes(self, collector, spans):
        """Which protocol and compression was used does not show in the journal."""

        def export():
            results = []
            for exporter in (
                grpc_exporter(GrpcSpanExporter, collector),
                http_exporter(HttpSpanExporter, collector, "traces"),
                http_exporter(
                    HttpSpanExporter, collector, "traces", compression=Compression.Gzip
                ),
            ):
                results.append(exporter.export(spans))
                exporter.shutdown()
            return results

        assert await asyncio.to_thread(export) == [SpanExportResult.SUCCESS] * 3
        first, second, third = collector.sink.submissions
        assert first.rows == 2
        assert first == second == third


class TestLogsAndMetrics:
    """The other two signals."""

    @pytest.mark.parametrize("protocol", ["grpc", "http"])
    async def test_log_records_arrive(self, collector, protocol):
        """A log record of the SDK is one row."""

        def emit():
            if protocol == "grpc":
                exporter = grpc_exporter(GrpcLogExporter, collector)
            else:
                exporter = http_exporter(HttpLogExporter, collector, "logs")
            provider = LoggerProvider()
            provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
            provider.get_logger("tests").emit(
                event_name="fleetspan.agent.start", body={"a": [1, {"b": None}]}
            )
            provider.shutdown()

        await asyncio.to_thread(emit)
        (submission,) = collector.sink.submissions
        assert (submission.signal, submission.rows) == (Signal.LOGS, 1)
        assert b"fleetspan.agent.start" in submission.payload

    @pytest.mark.parametrize("protocol", ["grpc", "http"])
    async def test_data_points_arrive(self, collector, protocol):
        """Each attribute set of an instrument is one row."""

        def record():
            if protocol == "grpc":
                exporter = grpc_exporter(GrpcMetricExporter, collector)
            else:
                exporter = http_exporter(HttpMetricExporter, collector, "metrics")
            reader = PeriodicExportingMetricReader(exporter, 3_600_000)
            provider = MeterProvider([reader])
            meter = provider.get_meter("tests")
            meter.create_counter("calls").add(1, {"model": "a"})
            histogram = meter.create_histogram("tokens")
            histogram.record(5, {"model": "a"})
            histogram.record(6, {"model": "b"})
            provider.shutdown()

        await asyncio.to_thread(record)
        (submission,) = collector.sink.submissions
        assert submission.signal == Signal.METRICS
        # The SDK may add points about itself.
        assert submission.rows >= 3
        assert b"calls" in submission.payload
