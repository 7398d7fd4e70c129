"""The OTLP checklist over gRPC; the numbers are those of the reliability reference."""

import asyncio
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import (
    logs_service_pb2,
    logs_service_pb2_grpc,
)
from opentelemetry.proto.collector.metrics.v1 import (
    metrics_service_pb2,
    metrics_service_pb2_grpc,
)
from opentelemetry.proto.collector.trace.v1 import (
    trace_service_pb2,
    trace_service_pb2_grpc,
)

from fleetspan_collector._errors import Refused, UnreachableError
from fleetspan_collector._signals import Accepted
from fleetspan_collector.receivers import GrpcReceiver

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


@pytest.fixture
async def channel(collector):
    """A connection to receivers with default settings."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{collector.grpc.port}") as channel:
        yield channel


def export(channel: Any) -> Any:
    """The Export call of the trace service, with bytes in and out."""
    return channel.unary_unary(EXPORT)


async def failed(call: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Wait for a call to fail; return its code, text, and trailers by name."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    error = caught.value
    return error.code(), error.details(), dict(error.trailing_metadata())


class TestTransport:
    """Services, methods and compression (items 1 to 9)."""

    async def test_otlp_02_all_three_services_are_served(self, channel):
        """The generated stubs of all three signals find their Export."""
        trace: Any = trace_service_pb2_grpc.TraceServiceStub(channel)  # type: ignore[no-untyped-call]
        logs: Any = logs_service_pb2_grpc.LogsServiceStub(channel)  # type: ignore[no-untyped-call]
        metrics: Any = metrics_service_pb2_grpc.MetricsServiceStub(channel)  # type: ignore[no-untyped-call]
        answers = [
            await trace.Export(trace_service_pb2.ExportTraceServiceRequest()),
            await logs.Export(logs_service_pb2.ExportLogsServiceRequest()),
            await metrics.Export(metrics_service_pb2.ExportMetricsServiceRequest()),
        ]
        assert [answer.HasField("partial_success") for answer in answers] == [False] * 3

    async def test_otlp_02_another_service_is_unimplemented(self, channel):
        """The profiles signal is not ours."""
        call = channel.unary_unary(
            "/opentelemetry.proto.collector.profiles.v1development"
            ".ProfilesService/Export"
        )
        code, _, _ = await failed(call(b""))
        assert code == grpc.StatusCode.UNIMPLEMENTED

    async def test_otlp_03_gzip(self, collector, channel, trace_request):
        """A compressed message is journaled as the bytes that it holds."""
        body = trace_request().SerializeToString()
        await export(channel)(body, compression=grpc.Compression.Gzip)
        assert [s.payload for s in collector.sink.submissions] == [body]

    async def test_otlp_08_many_calls_on_one_connection(
        self, collector, channel, trace_request
    ):
        """A hundred calls at once on one connection all succeed."""
        body = trace_request().SerializeToString()
        call = export(channel)
        await asyncio.gather(*[call(body) for _ in range(100)])
        assert len(collector.sink.submissions) == 100
        for name, value in (("requests", 100), ("items", 100), ("bytes", 5800)):
            assert (
                collector.metric(
                    f"fleetspan_receiver_{name}_total", signal="traces", protocol="grpc"
                )
                == value
            )


class TestAnswers:
    """Limits, success and failure (items 10 to 28)."""

    async def test_otlp_11_over_the_limit_is_resource_exhausted(self, start):
        """Without RetryInfo: the same request would fail again."""
        collector = await start(max_request_bytes=1000)
        address = f"127.0.0.1:{collector.grpc.port}"
        async with grpc.aio.insecure_channel(address) as channel:
            for compression in (grpc.Compression.NoCompression, grpc.Compression.Gzip):
                code, _, trailers = await failed(
                    export(channel)(bytes(1001), compression=compression)
                )
                assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
                assert "google.rpc.retryinfo-bin" not in trailers
            # Below the limit it arrives, and is what it is: not a request.
            code, _, _ = await failed(export(channel)(b"\xff" * 1000))
            assert code == grpc.StatusCode.INVALID_ARGUMENT
        assert collector.metric("fleetspan_receiver_grpc_unread_calls") == 2

    async def test_otlp_17_partial_success(self, collector, channel, trace_request):
        """OK with the exact count, and only the sound span is journaled."""
        request = trace_request({}, {"span_id": b"\1" * 7}, {"span_id": b""})
        call = export(channel)
        response = trace_service_pb2.ExportTraceServiceResponse.FromString(
            await call(request.SerializeToString())
        )
        assert response.partial_success.rejected_spans == 2
        assert response.partial_success.error_message == (
            "2 rejected: resource_spans[0].scope_spans[0].spans[1]: "
            "span_id must be 8 bytes and not all zero; "
            "resource_spans[0].scope_spans[0].spans[2]: "
            "span_id must be 8 bytes and not all zero"
        )
        assert [s.rows for s in collector.sink.submissions] == [1]

    async def test_otlp_20_undecodable_is_invalid_argument(self, channel):
        """The status details hold a BadRequest."""
        code, text, trailers = await failed(export(channel)(b"\xff"))
        assert code == grpc.StatusCode.INVALID_ARGUMENT
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        assert (status.code, status.message) == (3, text)
        detail = error_details_pb2.BadRequest()
        assert status.details[0].Unpack(detail)
        assert detail.field_violations[0].description == text

    async def test_otlp_23_an_internal_fault_is_unavailable(
        self, start, trace_request, caplog
    ):
        """A fault of ours may be tried again, as soon as a second later."""

        class Broken:
            async def accept(self, submission):
                raise ZeroDivisionError("boom")

        collector = await start(Broken())
        address = f"127.0.0.1:{collector.grpc.port}"
        async with grpc.aio.insecure_channel(address) as channel:
            call = export(channel)
            code, text, trailers = await failed(
                call(trace_request().SerializeToString())
            )
        assert code == grpc.StatusCode.UNAVAILABLE
        assert text == "the collector failed on this request; its log says why"
        assert "google.rpc.retryinfo-bin" in trailers
        assert "ZeroDivisionError: boom" in caplog.text

    async def test_otlp_25_overload_has_retry_info_in_both_places(
        self, collector, channel, trace_request
    ):
        """Go reads the status details, the Python SDK a trailer of its own."""
        collector.sink.refusal = Refused("queue_full", "full", retry_after_s=30)
        code, text, trailers = await failed(
            export(channel)(trace_request().SerializeToString())
        )
        assert (code, text) == (grpc.StatusCode.UNAVAILABLE, "full")
        status = status_pb2.Status.FromString(trailers["grpc-status-details-bin"])
        detail = error_details_pb2.RetryInfo()
        assert status.details[0].Unpack(detail)
        own = error_details_pb2.RetryInfo.FromString(
            trailers["google.rpc.retryinfo-bin"]
        )
        assert (
            own.retry_delay.ToMilliseconds(),
            detail.retry_delay.ToMilliseconds(),
        ) == (2000, 2000)
        refused = collector.metric(
            "fleetspan_receiver_refused_requests_total",
            signal="traces",
            protocol="grpc",
            reason="queue_full",
        )
        assert refused == 1

    async def test_otlp_27_a_client_that_hangs_up_does_not_interrupt_the_sink(
        self, start, trace_request
    ):
        """What the journal began is finished, and its room is given back."""
        waiting, release, done = asyncio.Event(), asyncio.Event(), asyncio.Event()

        class Slow:
            async def accept(self, submission):
                waiting.set()
                await release.wait()
                done.set()
                return Accepted()

        collector = await start(Slow())
        address = f"127.0.0.1:{collector.grpc.port}"
        async with grpc.aio.insecure_channel(address) as channel:
            call = export(channel)(trace_request().SerializeToString())
            await waiting.wait()
            call.cancel()
        release.set()
        async with asyncio.timeout(10):
            await done.wait()

    async def test_the_tenant_comes_from_the_metadata(self, start, trace_request):
        """Who sent a request is decided by a function of its metadata."""
        collector = await start(tenant_of=lambda headers: headers["x-key"])
        address = f"127.0.0.1:{collector.grpc.port}"
        async with grpc.aio.insecure_channel(address) as channel:
            await export(channel)(
                trace_request().SerializeToString(), metadata=(("x-key", "acme"),)
            )
        assert collector.sink.submissions[0].tenant == "acme"


class TestServer:
    """Listening."""

    async def test_a_port_in_use_is_an_error(self, collector, capfd):
        """It is told once, by us; the port is never shared."""
        second = GrpcReceiver(collector.app.intake, "127.0.0.1", collector.grpc.port)
        with pytest.raises(UnreachableError) as caught:
            await second.start()
        assert caught.value.error == (
            f"cannot listen on 127.0.0.1:{collector.grpc.port} for OTLP gRPC"
        )
        assert caught.value.because == "address already in use"
        assert caught.value.suggestion == "fleetspan up --grpc 127.0.0.1:0"
        assert capfd.readouterr().err == ""

    async def test_stop_is_safe_without_start_and_twice(self, collector):
        """A receiver can be stopped in any state."""
        receiver = GrpcReceiver(collector.app.intake, "127.0.0.1", 0)
        await receiver.stop()
        await receiver.stop()
