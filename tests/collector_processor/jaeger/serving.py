"""Jaeger's interface over a store in this process, and a client of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData
from prometheus_client import CollectorRegistry

from fleetspan_collector.access import Gate, OpenGate
from fleetspan_collector.access.metrics import AccessMetrics
from fleetspan_collector.access.tls import Tls
from fleetspan_collector.jaeger import JaegerMetrics, JaegerServer, JaegerSources
from fleetspan_collector.jaeger.protos import capabilities_pb2 as capabilities
from fleetspan_collector.jaeger.protos import dependency_storage_pb2 as dependencies
from fleetspan_collector.jaeger.protos import trace_storage_pb2 as storage
from fleetspan_collector.store.leases import Leases
from tests.collector_processor.embedded import Embedded, embedded

M = TypeVar("M", bound=Message)
READER: Final = "/jaeger.storage.v2.TraceReader/"
_PATIENCE_S: Final = 60.0


class Client:
    """What Jaeger is to the interface.

    Args:
        address: Where it listens.
        metadata: Sent with every call.
        credentials: Those of TLS; ``None`` for plain text.
    """

    def __init__(
        self,
        address: str,
        metadata: Mapping[str, str] | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        # The limit of Jaeger's client, which is gRPC's own.
        options = [("grpc.max_receive_message_length", 4 << 20)]
        self._channel = (
            grpc.insecure_channel(address, options)
            if credentials is None
            else grpc.secure_channel(address, credentials, options)
        )
        self._metadata = tuple((metadata or {}).items())

    def close(self) -> None:
        """Hang up."""
        self._channel.close()

    def one(self, path: str, request: Message, answer: type[M]) -> M:
        """Make a call that has one answer."""
        call: Any = self._channel.unary_unary(
            path, lambda message: message.SerializeToString(), answer.FromString
        )
        found: M = call(request, timeout=_PATIENCE_S, metadata=self._metadata)
        return found

    def many(self, path: str, request: Message, answer: type[M]) -> Iterator[M]:
        """Make a call that has a stream of answers."""
        call: Any = self._channel.unary_stream(
            path, lambda message: message.SerializeToString(), answer.FromString
        )
        found: Iterator[M] = call(request, timeout=_PATIENCE_S, metadata=self._metadata)
        return found

    def services(self) -> list[str]:
        """Ask for all services."""
        request = storage.GetServicesRequest()
        found = self.one(f"{READER}GetServices", request, storage.GetServicesResponse)
        return list(found.services)

    def operations(self, service: str, kind: str = "") -> list[tuple[str, str]]:
        """Ask for a service's operations."""
        request = storage.GetOperationsRequest(service=service, span_kind=kind)
        found = self.one(
            f"{READER}GetOperations", request, storage.GetOperationsResponse
        )
        return [(each.name, each.span_kind) for each in found.operations]

    def get(self, *queries: storage.GetTraceParams) -> list[TracesData]:
        """Ask for traces; the messages as they come."""
        request = storage.GetTracesRequest(query=queries)
        return list(self.many(f"{READER}GetTraces", request, TracesData))

    def get_ids(self, *trace_ids: bytes) -> list[TracesData]:
        """Ask for traces by their ids alone."""
        return self.get(*(storage.GetTraceParams(trace_id=each) for each in trace_ids))

    def find(self, **query: Any) -> list[TracesData]:
        """Search; the messages as they come."""
        request = storage.FindTracesRequest(query=parameters(**query))
        return list(self.many(f"{READER}FindTraces", request, TracesData))

    def find_ids(self, **query: Any) -> list[storage.FoundTraceID]:
        """Search for ids."""
        request = storage.FindTraceIDsRequest(query=parameters(**query))
        found = self.one(f"{READER}FindTraceIDs", request, storage.FindTraceIDsResponse)
        return list(found.trace_ids)

    def hex_ids(self, **query: Any) -> list[str]:
        """Search for ids, as hexadecimal digits."""
        return [each.trace_id.hex() for each in self.find_ids(**query)]

    def summaries(self, **query: Any) -> list[storage.TraceSummary]:
        """Search for summaries."""
        request = storage.FindTraceSummariesRequest(query=parameters(**query))
        return [
            summary
            for part in self.many(
                f"{READER}FindTraceSummaries",
                request,
                storage.FindTraceSummariesResponse,
            )
            for summary in part.summaries
        ]

    def dependencies(
        self, start: Timestamp | None, end: Timestamp | None
    ) -> list[tuple[str, str, int]]:
        """Ask which service called which."""
        request = dependencies.GetDependenciesRequest(start_time=start, end_time=end)
        found = self.one(
            "/jaeger.storage.v2.DependencyReader/GetDependencies",
            request,
            dependencies.GetDependenciesResponse,
        )
        return [
            (each.parent, each.child, each.call_count) for each in found.dependencies
        ]

    def capabilities(self) -> capabilities.GetCapabilitiesResponse:
        """Ask what it can do."""
        return self.one(
            "/jaeger.storage.v2.Capabilities/GetCapabilities",
            capabilities.GetCapabilitiesRequest(),
            capabilities.GetCapabilitiesResponse,
        )


def parameters(**query: Any) -> storage.TraceQueryParameters:
    """Make a search; attributes are a dictionary of Python values, times nanoseconds."""
    made = storage.TraceQueryParameters()
    for key, value in query.pop("attributes", {}).items():
        wanted = made.attributes.add(key=key).value
        if isinstance(value, bool):
            wanted.bool_value = value
        elif isinstance(value, int):
            wanted.int_value = value
        elif isinstance(value, float):
            wanted.double_value = value
        elif isinstance(value, bytes):
            wanted.bytes_value = value
        else:
            wanted.string_value = value
    for name in ("start_time_min", "start_time_max", "duration_min", "duration_max"):
        if name in query:
            getattr(made, name).FromNanoseconds(query.pop(name))
    made.MergeFrom(storage.TraceQueryParameters(**query))
    return made


def timestamp(nanoseconds: int) -> Timestamp:
    """Make a timestamp."""
    made = Timestamp()
    made.FromNanoseconds(nanoseconds)
    return made


def spans_of(
    messages: Iterable[TracesData | ExportTraceServiceRequest],
) -> list[Span]:
    """Return all spans of messages, in their order."""
    return [
        span
        for message in messages
        for resource in message.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


class Served:
    """A store in this process, served.

    Attributes:
        store: The store.
        registry: Where the interface counts.
        waits: What each call waited for: whether for derived rows.
        settled: What waiting says.
        key: A key for it, where a test needs one.
    """

    def __init__(self, store: Embedded, gate: Gate | None, tls: Tls | None) -> None:
        self.store = store
        self.registry = CollectorRegistry()
        self.waits: list[bool] = []
        self.key = ""
        self.settled = True
        self._clients: list[Client] = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._leases = Leases(store.engine)
        self._server = JaegerServer(
            JaegerSources(
                leases=self._leases,
                gate=gate or OpenGate(),
                caught_up=self._caught_up,
                metrics=JaegerMetrics(self.registry),
                access_metrics=AccessMetrics(self.registry),
            ),
            "127.0.0.1",
            0,
            tls=tls,
        )
        self._run(self._server.start())
        self.address = f"127.0.0.1:{self._server.port}"
        self.client = self.connect()

    async def _caught_up(
        self, timeout_s: float, *, derived: bool, analysed: bool = False
    ) -> bool:
        self.waits.append(derived)
        return self.settled

    def connect(
        self,
        metadata: Mapping[str, str] | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> Client:
        """Return another client, which is closed with this."""
        client = Client(self.address, metadata, credentials)
        self._clients.append(client)
        return client

    def take(self, *requests: ExportTraceServiceRequest, tenant: str = "") -> None:
        """Store requests, and derive from them."""
        self.store.take(*requests, tenant=tenant)

    def metric(self, name: str, **labels: str) -> float:
        """Return a metric; 0 when nothing was counted."""
        return self.registry.get_sample_value(name, labels) or 0

    def stop(self) -> None:
        """Stop serving, at once."""
        self._run(self._server.stop(0.0))

    def close(self) -> None:
        """Stop it; the store stays open."""
        for client in self._clients:
            client.close()
        self.stop()
        self._leases.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(_PATIENCE_S)


@contextmanager
def served(
    directory: Path, gate: Gate | None = None, tls: Tls | None = None
) -> Generator[Served]:
    """Open a store and serve it; only one can be open in a process."""
    with embedded(directory) as store:
        serving = Served(store, gate, tls)
        try:
            yield serving
        finally:
            serving.close()
