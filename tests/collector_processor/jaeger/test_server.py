"""The server: what it answers besides questions, and under load."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from fleetspan_collector.jaeger import server
from fleetspan_collector.jaeger.protos import trace_storage_pb2 as storage
from fleetspan_collector.jaeger.protos.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
)
from tests.collector_processor.jaeger.building import one, trace_id
from tests.collector_processor.jaeger.serving import (
    READER,
    Served,
    served,
    spans_of,
)
from tests.collector_processor.running import poll

pytestmark = pytest.mark.integration

HEALTH = "/grpc.health.v1.Health/"
LARGE = 5


@pytest.fixture(scope="module")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Generator[Served]:
    """A store with some small traces and one of many megabytes."""
    with served(tmp_path_factory.mktemp("server")) as opened:
        opened.take(*(one(number) for number in range(1, 5)))
        text = "x" * 200_000
        opened.take(
            *(one(LARGE, span, attributes={"text": text}) for span in range(1, 151))
        )
        yield opened


@pytest.mark.parametrize(
    "service",
    [
        "",
        "jaeger.storage.v2.TraceReader",
        "jaeger.storage.v2.DependencyReader",
        "jaeger.storage.v2.Capabilities",
    ],
)
def test_health(serving: Served, service: str) -> None:
    """Probes are told that the server, and each of its services, is there."""
    request = HealthCheckRequest(service=service)
    answer = serving.client.one(f"{HEALTH}Check", request, HealthCheckResponse)
    assert answer.status == HealthCheckResponse.SERVING


def test_health_of_what_is_not_served(serving: Served) -> None:
    """Another service is NOT_FOUND, and not known to who watches it."""
    request = HealthCheckRequest(service="jaeger.storage.v2.TraceWriter")
    with pytest.raises(grpc.RpcError) as refused:
        serving.client.one(f"{HEALTH}Check", request, HealthCheckResponse)
    assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    watched = serving.client.many(f"{HEALTH}Watch", request, HealthCheckResponse)
    assert next(watched).status == HealthCheckResponse.SERVICE_UNKNOWN


@pytest.mark.parametrize(
    "path",
    [
        f"{READER}FindSpans",
        "/jaeger.storage.v1.SpanReaderPlugin/GetServices",
        "/jaeger.storage.v2.TraceWriter/WriteTraces",
    ],
)
def test_other_methods(serving: Served, path: str) -> None:
    """What is not served is UNIMPLEMENTED, by which Jaeger knows to do without."""
    with pytest.raises(grpc.RpcError) as refused:
        serving.client.one(
            path, storage.GetServicesRequest(), storage.GetServicesResponse
        )
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_writing_says_where_to(serving: Served) -> None:
    """A Jaeger that writes here is told the setting that is missing."""
    with pytest.raises(grpc.RpcError, match="set writer.endpoint") as refused:
        serving.client.one(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            ExportTraceServiceRequest(),
            ExportTraceServiceResponse,
        )
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize("method", ["GetTraces", "FindTraces", "GetOperations"])
def test_a_request_that_is_none(serving: Served, method: str) -> None:
    """Bytes that are no request are INVALID_ARGUMENT, not a fault of ours."""
    call: Any = serving.client._channel.unary_stream(READER + method)
    with pytest.raises(grpc.RpcError, match="the request is no") as refused:
        list(call(b"\xff\xff\xff", timeout=60))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


def test_many_at_once(serving: Served) -> None:
    """Calls beyond those that read at once wait for their turn; all are answered."""

    def ask(number: int) -> int:
        return len(spans_of(serving.client.get_ids(trace_id(1 + number % 4))))

    with ThreadPoolExecutor(24) as threads:
        assert list(threads.map(ask, range(24))) == [1] * 24


def test_a_client_that_goes_away(serving: Served) -> None:
    """Reading ends with the call, and the connection is free for others."""

    def cancelled() -> float:
        return serving.metric(
            "fleetspan_jaeger_calls_total", method="GetTraces", code="CANCELLED"
        )

    before = cancelled()
    # More than may read at once: a lost turn would show.
    for _ in range(6):
        request = storage.GetTracesRequest(query=[{"trace_id": trace_id(LARGE)}])
        call = serving.client.many(f"{READER}GetTraces", request, TracesData)
        assert len(next(call).resource_spans) == 1
        call.cancel()  # type: ignore[attr-defined] # a stream is a call, too
    poll(lambda: cancelled() == before + 6, "the calls have ended")
    assert len(spans_of(serving.client.get_ids(trace_id(LARGE)))) == 150


def test_calls_are_counted(serving: Served) -> None:
    """Each call counts once, by its method and what it was answered."""
    labels = {"method": "GetOperations", "code": "INVALID_ARGUMENT"}
    before = serving.metric("fleetspan_jaeger_calls_total", **labels)
    took = serving.metric("fleetspan_jaeger_call_seconds_count", method="GetOperations")
    with pytest.raises(grpc.RpcError):
        serving.client.operations("")
    assert serving.metric("fleetspan_jaeger_calls_total", **labels) == before + 1
    assert (
        serving.metric("fleetspan_jaeger_call_seconds_count", method="GetOperations")
        == took + 1
    )
    sent = serving.metric("fleetspan_jaeger_spans_total")
    serving.client.get_ids(trace_id(1), trace_id(2))
    assert serving.metric("fleetspan_jaeger_spans_total") == sent + 2


@pytest.mark.parametrize(
    ("limits", "statement", "code"),
    [
        (
            {"seconds": 0.05},
            "SELECT sum(sipHash64(number)) FROM numbers(100000000000)",
            grpc.StatusCode.DEADLINE_EXCEEDED,
        ),
        (
            {"memory_bytes": 20 << 20},
            "SELECT groupArray(number) FROM numbers(100000000)",
            grpc.StatusCode.RESOURCE_EXHAUSTED,
        ),
        ({}, "SELECT nothing FROM nowhere", grpc.StatusCode.INTERNAL),
    ],
)
def test_what_the_engine_refuses(
    serving: Served, limits: dict[str, float], statement: str, code: grpc.StatusCode
) -> None:
    """Jaeger is told that it asked for too much, and no details of other failures."""
    reader = serving.store.engine.reader(**limits)  # type: ignore[arg-type] # by case
    try:
        with pytest.raises(ClickHouseError) as failed:
            reader.arrow(statement)
        refusal = server._refusal_of(failed.value, "FindTraces")
    finally:
        reader.close()
    assert refusal.code is code
    assert "nowhere" not in refusal.details
