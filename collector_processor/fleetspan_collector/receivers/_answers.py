"""What a client is told: responses, and errors as ``google.rpc.Status``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import orjson
from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc import code_pb2, error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from .._errors import Refused
from .._signals import Signal
from ..access import ForbiddenError, UnauthenticatedError
from ._faults import TooLarge, Undecodable

# Stock SDKs stop trying after about 10 s in all, and drop at once what is told to wait
# longer than what is left of that.
MAX_RETRY_AFTER_S: Final = 2.0

# An answer may have at most 4 MiB, and gRPC's trailers 8 KiB; a message longer than this
# helps nobody.
_MAX_MESSAGE_CHARACTERS: Final = 1_000

_RESPONSES: Final[dict[Signal, tuple[type[Any], str]]] = {
    Signal.TRACES: (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    Signal.LOGS: (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
    Signal.METRICS: (
        metrics_service_pb2.ExportMetricsServiceResponse,
        "rejected_data_points",
    ),
}


def export_response(signal: Signal, rejected: int, message: str) -> Message:
    """Build the answer to an accepted request; empty when nothing was rejected."""
    kind, count = _RESPONSES[signal]
    response: Message = kind()
    if rejected or message:
        partial = getattr(response, "partial_success")  # noqa: B009 - per signal
        setattr(partial, count, rejected)
        partial.error_message = _short(message)
    return response


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """An error answer, before it is put into a protocol's form.

    Attributes:
        reason: A bounded label for the metrics.
        http_status: The status of the HTTP answer.
        code: The ``google.rpc.Code``, which is also the gRPC status.
        message: What is wrong, in words.
        field: The path of the offending value of a malformed request.
        retry_after_s: When to send the same bytes again, in seconds; ``None``: never.
    """

    reason: str
    http_status: int
    code: int
    message: str
    field: str = ""
    retry_after_s: float | None = None

    def retry_info(self) -> error_details_pb2.RetryInfo:
        """When to try again, as gRPC clients read it."""
        delay = Duration()
        delay.FromMilliseconds(round((self.retry_after_s or 0) * 1000))
        return error_details_pb2.RetryInfo(retry_delay=delay)

    def retry_after(self) -> str:
        """When to try again, in whole seconds, as HTTP clients read it."""
        return str(max(1, math.ceil(self.retry_after_s or 0)))

    def status(self) -> status_pb2.Status:
        """The error as OTLP wants it."""
        status = status_pb2.Status(code=self.code, message=_short(self.message))
        if self.retry_after_s is not None:
            status.details.add().Pack(self.retry_info())
        elif self.reason == "undecodable":
            bad = error_details_pb2.BadRequest()
            bad.field_violations.add(
                field=self.field or "body", description=_short(self.message)
            )
            status.details.add().Pack(bad)
        return status


def failure_of(error: Exception, *, retry_after_s: float) -> Failure:
    """Say how an error is answered; one that nobody foresaw is a fault of ours.

    Such a fault answers "try again": by OTLP, 500 would make the client drop its data.
    """
    match error:
        case Undecodable():
            return Failure(
                reason="undecodable",
                http_status=400,
                code=code_pb2.INVALID_ARGUMENT,
                message=str(error),
                field=error.field,
            )
        case TooLarge():
            return Failure(
                reason=error.reason,
                http_status=413,
                code=code_pb2.RESOURCE_EXHAUSTED,
                message=str(error),
            )
        case UnauthenticatedError():
            return Failure(
                reason="unauthenticated",
                http_status=401,
                code=code_pb2.UNAUTHENTICATED,
                message=f"{error}; try: {error.suggestion}",
            )
        case ForbiddenError():
            return Failure(
                reason="forbidden",
                http_status=403,
                code=code_pb2.PERMISSION_DENIED,
                message=f"{error}; try: {error.suggestion}",
            )
        case Refused():
            return Failure(
                reason=error.reason,
                http_status=503,
                code=code_pb2.UNAVAILABLE,
                message=str(error),
                retry_after_s=min(max(error.retry_after_s, 0.001), MAX_RETRY_AFTER_S),
            )
    return Failure(
        reason="internal",
        http_status=503,
        code=code_pb2.UNAVAILABLE,
        message="the collector failed on this request; its log says why",
        retry_after_s=retry_after_s,
    )


def json_bytes(message: Message) -> bytes:
    """Write an answer in the JSON form of protobuf: 64-bit integers are strings."""
    return orjson.dumps(json_format.MessageToDict(message))


def _short(message: str) -> str:
    if len(message) <= _MAX_MESSAGE_CHARACTERS:
        return message
    return message[: _MAX_MESSAGE_CHARACTERS - 1] + "…"
