"""The methods of Jaeger's storage interface: a request's bytes in, answers' bytes out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from google.protobuf.message import DecodeError, Message

from fleetspan_collector.jaeger._questions import (
    InvalidError,
    read_ids,
    read_interval,
    read_kind,
    read_search,
)
from fleetspan_collector.jaeger.protos.capabilities_pb2 import (
    GetCapabilitiesResponse,
    SearchCapabilities,
)
from fleetspan_collector.jaeger.protos.dependency_storage_pb2 import (
    Dependency,
    GetDependenciesRequest,
    GetDependenciesResponse,
)
from fleetspan_collector.jaeger.protos.trace_storage_pb2 import (
    FindTraceIDsRequest,
    FindTraceIDsResponse,
    FindTracesRequest,
    FindTraceSummariesRequest,
    FoundTraceID,
    GetOperationsRequest,
    GetOperationsResponse,
    GetServicesResponse,
    GetTracesRequest,
    Operation,
)
from fleetspan_collector.jaeger.reading import Reading

M = TypeVar("M", bound=Message)

SOURCE: Final = "fleetspan"
"""What dependencies say of where they were found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method.

    Attributes:
        answers: Yields the messages of the answer; one, unless it streams.
        streams: Whether the answer is a stream.
        reads_bounds: Whether it needs the bounds of traces, which are derived.
    """

    answers: Callable[[Reading, bytes], Iterator[bytes]]
    streams: bool = False
    reads_bounds: bool = False


def _traces(reading: Reading, body: bytes) -> Iterator[bytes]:
    wanted = read_ids(_read(GetTracesRequest(), body))
    yield from reading.traces(reading.bounds(wanted))


def _services(reading: Reading, body: bytes) -> Iterator[bytes]:
    yield GetServicesResponse(services=reading.services()).SerializeToString()


def _operations(reading: Reading, body: bytes) -> Iterator[bytes]:
    request = _read(GetOperationsRequest(), body)
    if not request.service:
        raise InvalidError("service: is needed")
    kind = read_kind(request.span_kind)
    yield GetOperationsResponse(
        operations=[
            Operation(name=name, span_kind=kind)
            for name, kind in reading.operations(request.service, kind)
        ]
    ).SerializeToString()


def _find(reading: Reading, body: bytes) -> Iterator[bytes]:
    query = _read(FindTracesRequest(), body).query
    yield from reading.traces(reading.find(read_search(query, paged=False)))


def _find_ids(reading: Reading, body: bytes) -> Iterator[bytes]:
    # Older clients send a FindTracesRequest, which is the same on the wire.
    query = _read(FindTraceIDsRequest(), body).query
    response = FindTraceIDsResponse()
    for found in reading.find(read_search(query, paged=True)):
        added = FoundTraceID(trace_id=bytes.fromhex(found.trace_id))
        added.start.FromNanoseconds(found.first_ns)
        added.end.FromNanoseconds(found.last_ns)
        response.trace_ids.append(added)
    yield response.SerializeToString()


def _find_summaries(reading: Reading, body: bytes) -> Iterator[bytes]:
    query = _read(FindTraceSummariesRequest(), body).query
    yield from reading.summaries(reading.find(read_search(query, paged=True)))


def _dependencies(reading: Reading, body: bytes) -> Iterator[bytes]:
    request = _read(GetDependenciesRequest(), body)
    when = read_interval(
        request.start_time, request.end_time, ("start_time", "end_time")
    )
    if when.first_ns is None:
        raise InvalidError("start_time: is needed")
    yield GetDependenciesResponse(
        dependencies=[
            Dependency(parent=parent, child=child, call_count=calls, source=SOURCE)
            for parent, child, calls in reading.dependencies(when)
        ]
    ).SerializeToString()


def _capabilities(reading: Reading, body: bytes) -> Iterator[bytes]:
    search = SearchCapabilities(without_service_name=True, same_span_conjunction=True)
    yield GetCapabilitiesResponse(search=search).SerializeToString()


METHODS: Final[Mapping[str, Method]] = {
    "/jaeger.storage.v2.TraceReader/GetTraces": Method(
        answers=_traces, streams=True, reads_bounds=True
    ),
    "/jaeger.storage.v2.TraceReader/GetServices": Method(answers=_services),
    "/jaeger.storage.v2.TraceReader/GetOperations": Method(answers=_operations),
    "/jaeger.storage.v2.TraceReader/FindTraces": Method(
        answers=_find, streams=True, reads_bounds=True
    ),
    "/jaeger.storage.v2.TraceReader/FindTraceIDs": Method(
        answers=_find_ids, reads_bounds=True
    ),
    "/jaeger.storage.v2.TraceReader/FindTraceSummaries": Method(
        answers=_find_summaries, streams=True, reads_bounds=True
    ),
    "/jaeger.storage.v2.DependencyReader/GetDependencies": Method(
        answers=_dependencies
    ),
    "/jaeger.storage.v2.Capabilities/GetCapabilities": Method(answers=_capabilities),
}


def _read(message: M, body: bytes) -> M:
    try:
        message.ParseFromString(body)
    except DecodeError:
        raise InvalidError(
            f"the request is no {message.DESCRIPTOR.full_name}"
        ) from None
    return message
