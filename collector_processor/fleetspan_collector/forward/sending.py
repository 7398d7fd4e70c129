"""One request to one destination, and what its answer means by the OTLP specification."""

from __future__ import annotations

import gzip
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

import grpc
import requests
from google.protobuf.message import DecodeError, Message
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from fleetspan_collector._signals import Signal
from fleetspan_collector.config._destination import Destination

_MOST_ANSWER_BYTES: Final = 4 << 20
_MOST_WAIT_S: Final = 60.0
_RETRYABLE_HTTP: Final = frozenset({429, 502, 503, 504})
_RETRYABLE_GRPC: Final = frozenset(
    (grpc.StatusCode.CANCELLED, grpc.StatusCode.DEADLINE_EXCEEDED)
    + (grpc.StatusCode.ABORTED, grpc.StatusCode.OUT_OF_RANGE)
    + (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DATA_LOSS)
)
_METHODS: Final = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_ANSWERS: Final[dict[Signal, tuple[type[Any], str]]] = {
    Signal.TRACES: (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    Signal.LOGS: (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
    Signal.METRICS: (
        metrics_service_pb2.ExportMetricsServiceResponse,
        "rejected_data_points",
    ),
}


class Outcome(StrEnum):
    """What became of a request."""

    SENT = "sent"
    RETRY = "retry"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the answer to a request means.

    Attributes:
        outcome: Whether it is to be sent again.
        wait_s: When, as the destination has it; ``None`` when it does not say.
        rejected: Rows that it has not taken out of a request that it has.
        message: What it says.
    """

    outcome: Outcome
    wait_s: float | None = None
    rejected: int = 0
    message: str = ""


class Sender(Protocol):
    """Sends requests; may be called by several threads at once."""

    def send(self, signal: Signal, payload: bytes) -> Sent:
        """Send a request, once, and say what became of it."""
        ...

    def close(self) -> None:
        """End what is under way, and everything after it."""
        ...


def sender_of(destination: Destination) -> Sender:
    """Return what sends to a destination.

    Raises:
        OSError: When a file of TLS cannot be read.
    """
    if destination.protocol == "grpc":
        return _OverGrpc(destination)
    return _OverHttp(destination)


class _OverGrpc:
    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        scheme, _, rest = destination.url.partition("://")
        target = rest.partition("/")[0]
        options = (
            ("grpc.max_receive_message_length", _MOST_ANSWER_BYTES),
            # Its own connection, and quick to come back.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 200),
            ("grpc.max_reconnect_backoff_ms", 2000),
        )
        if scheme == "https":
            self._channel = grpc.secure_channel(target, _tls(destination), options)
        else:
            self._channel = grpc.insecure_channel(target, options)
        # Without (de)serialisers a message stays the bytes that it is.
        self._calls: dict[Signal, Any] = {
            signal: self._channel.unary_unary(method)
            for signal, method in _METHODS.items()
        }
        self._compression = (
            grpc.Compression.Gzip
            if destination.compression == "gzip"
            else grpc.Compression.NoCompression
        )

    def send(self, signal: Signal, payload: bytes) -> Sent:
        """Send a request."""
        try:
            answer = self._calls[signal](
                payload,
                timeout=self._destination.timeout_s,
                metadata=self._destination.headers.pairs,
                compression=self._compression,
            )
        except grpc.RpcError as error:
            return _of_grpc_error(error)
        except ValueError as error:
            # The channel has been closed.
            return Sent(outcome=Outcome.RETRY, message=str(error))
        return _of_answer(signal, answer)

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


class _OverHttp:
    def __init__(self, destination: Destination) -> None:
        self._destination = destination
        self._session = requests.Session()
        # Straight there: what the environment says of proxies is not for this.
        self._session.trust_env = False
        self._session.verify = destination.ca_file or True
        if destination.cert_file:
            self._session.cert = (destination.cert_file, destination.key_file)
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=16)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)
        self._gzip = destination.compression == "gzip"

    def send(self, signal: Signal, payload: bytes) -> Sent:
        """Send a request."""
        destination = self._destination
        headers: dict[str, str] = {
            **dict(destination.headers.pairs),
            "content-type": "application/x-protobuf",
        }
        body = payload
        if self._gzip:
            headers["content-encoding"] = "gzip"
            body = gzip.compress(payload, 1)
        until_s = time.monotonic() + destination.timeout_s
        try:
            with self._session.post(
                f"{destination.url}/v1/{signal.value}",
                data=body,
                headers=headers,
                timeout=destination.timeout_s,
                allow_redirects=False,
                stream=True,
            ) as answer:
                said = _bounded(answer, until_s)
                return _of_http(signal, answer.status_code, answer.headers, said)
        except (requests.RequestException, OSError) as error:
            return Sent(outcome=Outcome.RETRY, message=_short(str(error)))

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def _tls(destination: Destination) -> grpc.ChannelCredentials:
    def read(path: str) -> bytes | None:
        return Path(path).read_bytes() if path else None

    return grpc.ssl_channel_credentials(
        read(destination.ca_file),
        read(destination.key_file),
        read(destination.cert_file),
    )


def _bounded(answer: requests.Response, until_s: float) -> bytes:
    """Read an answer, at most so long and so much of it."""
    said = b""
    for piece in answer.iter_content(64 << 10):
        said += piece
        if len(said) > _MOST_ANSWER_BYTES or time.monotonic() > until_s:
            break
    return said


def _of_http(
    signal: Signal, status: int, headers: Mapping[str, str], said: bytes
) -> Sent:
    if 200 <= status < 300:
        return _of_answer(signal, said)
    message = f"HTTP {status}: {_message_of(said)}"
    if status in _RETRYABLE_HTTP:
        wait_s = _retry_after(headers.get("retry-after", ""))
        return Sent(outcome=Outcome.RETRY, wait_s=wait_s, message=message)
    return Sent(outcome=Outcome.REFUSED, message=message)


def _of_answer(signal: Signal, answer: bytes) -> Sent:
    """Read a success; part of it may have been rejected, which is never sent again."""
    kind, count = _ANSWERS[signal]
    try:
        response: Message = kind.FromString(answer)
    except DecodeError:
        # It said that it has taken it.
        return Sent(outcome=Outcome.SENT)
    partial = getattr(response, "partial_success")  # noqa: B009 - per signal
    return Sent(
        outcome=Outcome.SENT,
        rejected=getattr(partial, count),
        message=_short(partial.error_message),
    )


def _of_grpc_error(error: grpc.RpcError) -> Sent:
    code = error.code()
    message = f"gRPC {code.name}: {_short(error.details() or '')}"
    wait_s = _retry_info(error)
    exhausted = code is grpc.StatusCode.RESOURCE_EXHAUSTED
    if code in _RETRYABLE_GRPC or (exhausted and wait_s is not None):
        return Sent(outcome=Outcome.RETRY, wait_s=wait_s, message=message)
    return Sent(outcome=Outcome.REFUSED, message=message)


def _retry_info(error: grpc.RpcError) -> float | None:
    trailing: Any = error.trailing_metadata() or ()
    for key, value in trailing:
        if key != "grpc-status-details-bin":
            continue
        try:
            status = status_pb2.Status.FromString(value)
        except DecodeError:
            return None
        for detail in status.details:
            info = error_details_pb2.RetryInfo()
            if detail.Is(info.DESCRIPTOR) and detail.Unpack(info):
                return _within(info.retry_delay.ToTimedelta().total_seconds())
    return None


def _retry_after(text: str) -> float | None:
    """Seconds, or an HTTP date."""
    text = text.strip()
    if text.isascii() and text.isdigit():
        return _within(float(text[:12]))
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return _within((moment - datetime.now(UTC)).total_seconds())


def _within(seconds: float) -> float:
    """A destination may ask for patience, but not for years of it."""
    return min(max(seconds, 0.0), _MOST_WAIT_S)


def _message_of(said: bytes) -> str:
    try:
        return _short(status_pb2.Status.FromString(said).message)
    except DecodeError:
        return _short(said[:300].decode("utf-8", "replace"))


def _short(text: str) -> str:
    return " ".join(text.split())[:300]
