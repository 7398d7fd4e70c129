"""Where the server listens, and what happens to calls under way when it stops."""

from __future__ import annotations

import socket
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from fleetspan_collector._errors import UnreachableError
from fleetspan_collector.access.tls import Tls
from fleetspan_collector.jaeger import server
from fleetspan_collector.jaeger.protos import trace_storage_pb2 as storage
from fleetspan_collector.jaeger.protos.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
)
from tests.collector_processor.access.keyed import Authority
from tests.collector_processor.jaeger.building import one, trace_id
from tests.collector_processor.jaeger.serving import READER, served, spans_of

pytestmark = pytest.mark.integration


def test_stopping(tmp_path: Path) -> None:
    """Who watches is told, streams end, and the store can be closed behind it."""
    with served(tmp_path) as serving:
        text = "x" * 200_000
        serving.take(
            *(one(1, span, attributes={"text": text}) for span in range(1, 151))
        )
        watched = serving.client.many(
            "/grpc.health.v1.Health/Watch", HealthCheckRequest(), HealthCheckResponse
        )
        assert next(watched).status == HealthCheckResponse.SERVING
        request = storage.GetTracesRequest(query=[{"trace_id": trace_id(1)}])
        stream = serving.client.many(f"{READER}GetTraces", request, TracesData)
        next(stream)
        serving.stop()
        assert next(watched).status == HealthCheckResponse.NOT_SERVING
        with pytest.raises(grpc.RpcError) as ended:
            list(stream)
        assert ended.value.code() in {
            grpc.StatusCode.UNAVAILABLE,
            grpc.StatusCode.CANCELLED,
        }
        # The store is ours alone again.
        assert serving.store.rows("otel_traces", columns="count() AS n")[0]["n"] == 150


def test_tls(tmp_path: Path) -> None:
    """With a certificate the port is encrypted, and plain text gets no answer."""
    authority = Authority(tmp_path)
    pem = authority.issue("server")
    tls = Tls(pem.certificate, pem.private_key, None)
    trusted = grpc.ssl_channel_credentials(authority.certificate.read_bytes())
    with served(tmp_path, tls=tls) as serving:
        serving.take(one(1))
        client = serving.connect(credentials=trusted)
        assert len(spans_of(client.get_ids(trace_id(1)))) == 1
        with pytest.raises(grpc.RpcError) as refused:
            serving.client.services()
        assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_a_port_that_is_taken() -> None:
    """A port that somebody else has is an error that says which and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        jaeger = server.JaegerServer(None, "127.0.0.1", port)  # type: ignore[arg-type] # it never serves
        with pytest.raises(UnreachableError, match="for Jaeger") as error:
            await jaeger.start()
    assert error.value.suggestion == "fleetspan up --jaeger 127.0.0.1:0"
