"""OTLP over gRPC."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import grpc
import grpc.aio

from .._errors import UnreachableError
from .._grpc_listening import OPTIONS, listen
from .._signals import Signal
from ..access.tls import Tls
from ._answers import Failure
from ._intake import Intake, no_tenant

_METHODS: Final = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export": Signal.TRACES,
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export": Signal.LOGS,
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export": Signal.METRICS,
}
_CODES: Final = {code.value[0]: code for code in grpc.StatusCode}


class _Export(grpc.GenericRpcHandler):
    """Finds the method of a call; any other is answered UNIMPLEMENTED by gRPC."""

    def __init__(self, intake: Intake) -> None:
        self._unread = intake.metrics.grpc_unread_calls
        # Without (de)serialisers a message stays the bytes it is on the wire.
        self._handlers: dict[str, Any] = {
            path: grpc.unary_unary_rpc_method_handler(_handler(intake, signal))
            for path, signal in _METHODS.items()
        }

    def service(self, handler_call_details: Any) -> Any:
        handler = self._handlers.get(handler_call_details.method)
        if handler is not None:
            self._unread.inc()
        return handler


def _handler(
    intake: Intake, signal: Signal
) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def export(body: bytes, context: Any) -> bytes:
        intake.metrics.grpc_unread_calls.dec()
        failure: Failure
        try:
            tenant = ""
            if intake.tenant_of is not no_tenant:
                tenant = intake.tenant_of(_headers(context))
            with intake.admission.reserve(len(body)) as reservation:
                response = await intake.export(
                    signal, "grpc", body, tenant=tenant, reservation=reservation
                )
            answer: bytes = response.SerializeToString()
            return answer
        except Exception as error:  # noqa: BLE001 - every error is an answer
            failure = intake.failure(error, signal, "grpc")
        return await _abort(context, failure)

    return export


def _headers(context: Any) -> dict[str, str]:
    return {
        key: value
        for key, value in context.invocation_metadata() or ()
        if isinstance(value, str)
    }


async def _abort(context: Any, failure: Failure) -> bytes:
    trailers = [("grpc-status-details-bin", failure.status().SerializeToString())]
    if failure.retry_after_s is not None:
        # The specification's place is the status details; the Python SDK reads this one.
        retry_info = failure.retry_info().SerializeToString()
        trailers.append(("google.rpc.retryinfo-bin", retry_info))
    status = failure.status()
    await context.abort(_CODES[failure.code], status.message, tuple(trailers))
    raise AssertionError("abort always raises")


class GrpcReceiver:
    """A gRPC server for the three OTLP services.

    Args:
        intake: Where requests go.
        host: The address or name to listen on.
        port: The port; 0 takes a free one.
        tls: Encrypts it; ``None`` for plain text.

    Attributes:
        port: The port in use, once started.
    """

    def __init__(
        self, intake: Intake, host: str, port: int, *, tls: Tls | None = None
    ) -> None:
        self._tls = tls
        self.host = host
        self.port = port
        self._intake = intake
        self._server: Any = None

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            UnreachableError: When the address cannot be listened on.
        """
        limit_bytes = self._intake.settings.max_request_bytes
        self._server = grpc.aio.server(
            options=(*OPTIONS, ("grpc.max_receive_message_length", limit_bytes))
        )
        self._server.add_generic_rpc_handlers((_Export(self._intake),))
        try:
            self.port = listen(
                *(self._server, self.host, self.port, self._tls),
                purpose="OTLP gRPC",
                flag="--grpc",
            )
        except UnreachableError:
            await self.stop()
            raise
        await self._server.start()

    async def stop(self, grace_s: float | None = None) -> None:
        """Accept nothing more; wait for calls under way, at most this many seconds."""
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None
