"""One span on its whole way: sent by OTLP, acknowledged, stored, read back."""

from __future__ import annotations

import http.client
import json
import os
import time
from typing import Any, Final

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from fleetspan_collector._errors import CollectorError, UnreachableError
from fleetspan_collector.access.owner import OwnerPass
from fleetspan_collector.cli._source import OwnerSource
from fleetspan_collector.config import Endpoint, Endpoints

_DEADLINE_S: Final = 15.0
_POLL_S: Final = 0.02
_SEND_S: Final = 5.0


def round_trip_ms(
    endpoints: Endpoints, database: str, shown: OwnerPass | None = None
) -> float:
    """Send one span to a running collector and wait until a query finds it.

    Args:
        endpoints: What the collector listens on.
        database: The database of its tables, a plain identifier.
        shown: What lets this command in.

    Returns:
        Milliseconds from sending to having read it.

    Raises:
        CollectorError: When it is refused, or not to be found within 15 s.
    """
    if endpoints.web is None:
        raise UnreachableError(
            "the span cannot be read back",
            because="the collector's web port is off",
            suggestion="start it without --web off",
        )
    shown = shown or OwnerPass()
    trace_id = os.urandom(16)
    request = _request(trace_id)
    source = OwnerSource(endpoints.web, shown, timeout_s=_SEND_S)
    query = (
        f"SELECT count() AS found FROM {database}.otel_traces "  # noqa: S608 - checked
        f"WHERE TraceId = '{trace_id.hex()}'"
    )
    started = time.perf_counter()
    _send(request, endpoints, shown)
    while time.perf_counter() - started < _DEADLINE_S:
        answer = json.loads(b"".join(source.sql(query, "JSONEachRow")).splitlines()[0])
        if int(answer["found"]) == 1:
            return (time.perf_counter() - started) * 1000
        time.sleep(_POLL_S)
    raise CollectorError(
        "the span did not arrive",
        because=f"it was acknowledged, and no query found it within {_DEADLINE_S:g} s",
        suggestion="fleetspan up -v, and look for what the store refuses",
    )


def _request(trace_id: bytes) -> trace_service_pb2.ExportTraceServiceRequest:
    now_ns = time.time_ns()
    span = trace_pb2.Span(
        trace_id=trace_id,
        span_id=os.urandom(8),
        name="fleetspan doctor",
        kind=trace_pb2.Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=now_ns,
        end_time_unix_nano=now_ns,
    )
    request = trace_service_pb2.ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    service = resource_spans.resource.attributes.add(key="service.name")
    service.value.string_value = "fleetspan-doctor"
    resource_spans.scope_spans.add().spans.append(span)
    return request


def _send(
    request: trace_service_pb2.ExportTraceServiceRequest,
    endpoints: Endpoints,
    shown: OwnerPass,
) -> None:
    if endpoints.otlp_http is not None:
        _send_http(request.SerializeToString(), endpoints.otlp_http, shown)
    elif endpoints.otlp_grpc is not None:
        _send_grpc(request, endpoints.otlp_grpc, shown)
    else:
        raise UnreachableError(
            "no span can be sent",
            because="both receivers are off",
            suggestion="start the collector without --grpc off or --http off",
        )


def _send_http(body: bytes, address: str, shown: OwnerPass) -> None:
    connection = shown.connect(Endpoint.parse(address), _SEND_S)
    try:
        headers = {"content-type": "application/x-protobuf", **shown.headers}
        connection.request("POST", "/v1/traces", body, headers)
        response = connection.getresponse()
        answer = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise _refused(address, f"{type(error).__name__}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise _refused(address, f"it answered {response.status}, {answer[:200]!r}")


def _send_grpc(
    request: trace_service_pb2.ExportTraceServiceRequest,
    address: str,
    shown: OwnerPass,
) -> None:
    with shown.channel(address) as channel:
        export: grpc.UnaryUnaryMultiCallable[Any, bytes] = channel.unary_unary(
            "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            request_serializer=trace_service_pb2.ExportTraceServiceRequest.SerializeToString,
        )
        try:
            export(request, timeout=_SEND_S, metadata=tuple(shown.headers.items()))
        except grpc.RpcError as error:
            raise _refused(address, str(error).splitlines()[0]) from error


def _refused(address: str, because: str) -> UnreachableError:
    return UnreachableError(
        f"the receiver on {address} did not take a span",
        because=because,
        suggestion="fleetspan doctor -v",
    )
