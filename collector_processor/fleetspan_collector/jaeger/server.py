"""Jaeger's remote storage over gRPC: calls, who makes them, and what they get."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Final

import grpc
import grpc.aio
from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector._errors import CollectorError, UnreachableError
from fleetspan_collector._grpc_listening import OPTIONS, listen
from fleetspan_collector.access import (
    ForbiddenError,
    Gate,
    Scope,
    UnauthenticatedError,
)
from fleetspan_collector.access.gate import key_of
from fleetspan_collector.access.metrics import AccessMetrics
from fleetspan_collector.access.tls import Tls
from fleetspan_collector.jaeger._health import Health
from fleetspan_collector.jaeger._questions import InvalidError
from fleetspan_collector.jaeger.methods import METHODS, Method
from fleetspan_collector.jaeger.metrics import JaegerMetrics
from fleetspan_collector.jaeger.reading import Reading
from fleetspan_collector.store.leases import Leases
from fleetspan_collector.web._waiting import CATCH_UP_S, CaughtUp

logger = logging.getLogger("fleetspan.jaeger")

_FACE: Final = "jaeger"
_BEARER_TOKEN: Final = "bearer.token"  # noqa: S105 - the name that Jaeger sends it under
_TENANT: Final = "x-tenant"
_EXPORT: Final = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_AT_ONCE: Final = 4
_MOST_CALLS: Final = 64
_LONGEST_CALL_S: Final = 120.0
_MOST_REQUEST_BYTES: Final = 1 << 20
_ENGINE_CODE: Final = re.compile(r"Code: (\d+)")
# How the engine says that a statement took too long, or more memory than it may.
_TOO_LONG: Final = frozenset({"159", "160"})
_TOO_LARGE: Final = frozenset({"241", "307", "396"})

Send = Callable[[bytes], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class JaegerSources:
    """What the interface is served from.

    Attributes:
        leases: Connections to the store.
        gate: Knows who asks.
        caught_up: Waits until what was acknowledged can be read.
        metrics: Where it counts.
        access_metrics: Where it counts who was turned away.
    """

    leases: Leases
    gate: Gate
    caught_up: CaughtUp
    metrics: JaegerMetrics
    access_metrics: AccessMetrics


class _ClientGoneError(Exception):
    """Nobody takes the answer any more."""


class _Refusal(Exception):  # noqa: N818 - an answer, not a failure of ours
    def __init__(self, code: grpc.StatusCode, details: str) -> None:
        self.code = code
        self.details = details
        super().__init__(details)


class _Calls(grpc.GenericRpcHandler):
    """Finds the method of a call; any other is answered UNIMPLEMENTED by gRPC."""

    def __init__(self, sources: JaegerSources, health: Health) -> None:
        self._sources = sources
        self._turns = asyncio.Semaphore(_AT_ONCE)
        self._ending: set[asyncio.Future[None]] = set()
        self._handlers: dict[str, Any] = {
            **health.handlers(),
            _EXPORT: grpc.unary_unary_rpc_method_handler(_refuse_export),
            **{path: self._handler(path, method) for path, method in METHODS.items()},
        }

    def service(self, handler_call_details: Any) -> Any:
        return self._handlers.get(handler_call_details.method)

    async def ended(self) -> None:
        """Return once no thread reads any more."""
        while self._ending:
            await asyncio.wait(self._ending)

    def _handler(self, path: str, method: Method) -> Any:
        name = path.rpartition("/")[2]

        async def stream(body: bytes, context: Any) -> None:
            async def write(message: bytes) -> None:
                try:
                    await context.write(message)
                except Exception as error:
                    # The call was over already: its own cancelling comes a moment later.
                    raise _ClientGoneError from error

            await self._call(name, method, body, context, write)

        async def single(body: bytes, context: Any) -> bytes:
            answers: list[bytes] = []

            async def keep(message: bytes) -> None:
                answers.append(message)

            await self._call(name, method, body, context, keep)
            return answers[0]

        if method.streams:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(single)

    async def _call(
        self, name: str, method: Method, body: bytes, context: Any, send: Send
    ) -> None:
        began_s = time.monotonic()
        # What it stays when the client goes away.
        code = grpc.StatusCode.CANCELLED
        refusal = None
        try:
            sees = self._sees(context)
            async with asyncio.timeout(_LONGEST_CALL_S):
                settled = await self._sources.caught_up(
                    CATCH_UP_S, derived=method.reads_bounds
                )
                await self._answer(method, body, sees, settled, send)
            code = grpc.StatusCode.OK
        except _ClientGoneError:
            logger.debug("%s: the client has gone", name)
        except Exception as error:  # noqa: BLE001 - every error is an answer
            refusal = _refusal_of(error, name)
            code = refusal.code
        finally:
            # Before the client is told, so that it is counted when that hears of it.
            self._sources.metrics.calls.labels(name, code.name).inc()
            took_s = time.monotonic() - began_s
            self._sources.metrics.seconds.labels(name).observe(took_s)
        if refusal is not None:
            await context.abort(refusal.code, refusal.details)

    async def _answer(
        self, method: Method, body: bytes, sees: str | None, settled: bool, send: Send
    ) -> None:
        """Read on a thread of this call's own, message by message as they are taken."""
        await self._turns.acquire()
        loop = asyncio.get_running_loop()
        thread = ThreadPoolExecutor(1, thread_name_prefix="jaeger")
        answers = self._read(method, body, sees, settled)
        try:
            while True:
                message = await loop.run_in_executor(thread, next, answers, None)
                if message is None:
                    break
                await send(message)
        finally:
            # After a statement that still runs there: its turn ends with it.
            ending = loop.run_in_executor(thread, answers.close)
            self._ending.add(ending)
            ending.add_done_callback(self._end)
            thread.shutdown(wait=False)

    def _end(self, ending: asyncio.Future[None]) -> None:
        self._turns.release()
        self._ending.discard(ending)

    def _read(
        self, method: Method, body: bytes, sees: str | None, settled: bool
    ) -> Generator[bytes]:
        with self._sources.leases.of(sees) as engine:
            reading = Reading(engine, self._sources.metrics, settled=settled)
            yield from method.answers(reading, body)

    def _sees(self, context: Any) -> str | None:
        """Return whose rows the caller reads; ``None`` for everybody's.

        Raises:
            CollectorError: When they may not.
            _Refusal: When they name a tenant that is not theirs.
        """
        headers = {
            name: value
            for name, value in context.invocation_metadata() or ()
            if isinstance(value, str)
        }
        try:
            identity = self._sources.gate.identify(
                key_of(headers) or headers.get(_BEARER_TOKEN)
            )
            identity.require(Scope.READ)
        except UnauthenticatedError:
            self._sources.access_metrics.refused.labels(_FACE, "unauthenticated").inc()
            raise
        except ForbiddenError:
            self._sources.access_metrics.refused.labels(_FACE, "forbidden").inc()
            raise
        named = headers.get(_TENANT) or None
        if identity.sees is None:
            return named
        if named is not None and named != identity.sees:
            self._sources.access_metrics.refused.labels(_FACE, "forbidden").inc()
            raise _Refusal(
                grpc.StatusCode.PERMISSION_DENIED,
                f"the key is not one of the tenant that {_TENANT} names",
            )
        return identity.sees


async def _refuse_export(body: bytes, context: Any) -> bytes:
    """Say where Jaeger has to write to: the usual mistake of a first configuration."""
    await context.abort(
        grpc.StatusCode.UNIMPLEMENTED,
        "this port only reads; set writer.endpoint of the storage to the port for OTLP "
        "over gRPC (4317)",
    )
    raise AssertionError("abort always raises")


def _refusal_of(error: Exception, name: str) -> _Refusal:
    if isinstance(error, _Refusal):
        return error
    if isinstance(error, InvalidError):
        return _Refusal(grpc.StatusCode.INVALID_ARGUMENT, str(error))
    if isinstance(error, UnauthenticatedError):
        return _Refusal(grpc.StatusCode.UNAUTHENTICATED, _told(error))
    if isinstance(error, ForbiddenError):
        return _Refusal(grpc.StatusCode.PERMISSION_DENIED, _told(error))
    if isinstance(error, TimeoutError):
        return _Refusal(
            grpc.StatusCode.DEADLINE_EXCEEDED,
            f"not answered within {_LONGEST_CALL_S:.0f} seconds",
        )
    if isinstance(error, ClickHouseError):
        found = _ENGINE_CODE.search(str(error))
        if found and found[1] in _TOO_LONG:
            return _Refusal(
                grpc.StatusCode.DEADLINE_EXCEEDED,
                "the store took too long; ask for a shorter time or fewer traces",
            )
        if found and found[1] in _TOO_LARGE:
            return _Refusal(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "the store needs too much memory; ask for a shorter time or fewer traces",
            )
    if isinstance(error, UnreachableError):
        return _Refusal(grpc.StatusCode.UNAVAILABLE, _told(error))
    logger.error("%s failed", name, exc_info=error)
    return _Refusal(
        grpc.StatusCode.INTERNAL, "the store could not be read; the log says why"
    )


def _told(error: CollectorError) -> str:
    return f"{error.error}: {error.because}; {error.suggestion}"


class JaegerServer:
    """A gRPC server for Jaeger's remote storage.

    Args:
        sources: What it is served from.
        host: The address or name to listen on.
        port: The port; 0 takes a free one.
        tls: Encrypts it; ``None`` for plain text.

    Attributes:
        port: The port in use, once started.
    """

    def __init__(
        self, sources: JaegerSources, host: str, port: int, *, tls: Tls | None = None
    ) -> None:
        self.host = host
        self.port = port
        self._sources = sources
        self._tls = tls
        self._server: Any = None
        self._calls: _Calls | None = None
        self._health: Health | None = None

    async def start(self) -> None:
        """Listen and serve.

        Raises:
            UnreachableError: When the address cannot be listened on.
        """
        self._health = Health()
        self._calls = _Calls(self._sources, self._health)
        self._server = grpc.aio.server(
            options=(
                *OPTIONS,
                ("grpc.max_receive_message_length", _MOST_REQUEST_BYTES),
            ),
            maximum_concurrent_rpcs=_MOST_CALLS,
        )
        self._server.add_generic_rpc_handlers((self._calls,))
        try:
            self.port = listen(
                *(self._server, self.host, self.port, self._tls),
                purpose="Jaeger",
                flag="--jaeger",
            )
        except UnreachableError:
            await self.stop()
            raise
        await self._server.start()

    async def stop(self, grace_s: float | None = None) -> None:
        """Accept nothing more; wait for calls under way, at most this many seconds.

        Statements that still run then are waited for: the store must not be closed
        under them.
        """
        if self._health is not None:
            self._health.stop()
        if self._server is not None:
            await self._server.stop(grace_s)
            self._server = None
        if self._calls is not None:
            await self._calls.ended()
