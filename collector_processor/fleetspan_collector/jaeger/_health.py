"""gRPC's health protocol, which probes of Kubernetes and load balancers speak."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import grpc
import grpc.aio
from google.protobuf.message import DecodeError

from fleetspan_collector.jaeger.protos.health_pb2 import (
    HealthCheckRequest,
    HealthCheckResponse,
)

_SERVED: Final = frozenset(
    (
        "",
        "jaeger.storage.v2.TraceReader",
        "jaeger.storage.v2.DependencyReader",
        "jaeger.storage.v2.Capabilities",
    )
)


class Health:
    """Says that the interface is served, to whoever asks: no key is needed."""

    def __init__(self) -> None:
        self._stopping = asyncio.Event()

    def handlers(self) -> dict[str, Any]:
        """Return the handlers of the methods, by path."""
        return {
            "/grpc.health.v1.Health/Check": grpc.unary_unary_rpc_method_handler(
                self._check
            ),
            "/grpc.health.v1.Health/Watch": grpc.unary_stream_rpc_method_handler(
                self._watch
            ),
        }

    def stop(self) -> None:
        """Tell everybody who watches that it is over."""
        self._stopping.set()

    async def _check(self, body: bytes, context: Any) -> bytes:
        if not _is_served(body):
            await context.abort(grpc.StatusCode.NOT_FOUND, "unknown service")
        return _answer(HealthCheckResponse.SERVING)

    async def _watch(self, body: bytes, context: Any) -> None:
        if not _is_served(body):
            await context.write(_answer(HealthCheckResponse.SERVICE_UNKNOWN))
        else:
            await context.write(_answer(HealthCheckResponse.SERVING))
        await self._stopping.wait()
        await context.write(_answer(HealthCheckResponse.NOT_SERVING))


def _is_served(body: bytes) -> bool:
    try:
        return HealthCheckRequest.FromString(body).service in _SERVED
    except DecodeError:
        return False


def _answer(status: HealthCheckResponse.ServingStatus) -> bytes:
    return HealthCheckResponse(status=status).SerializeToString()
