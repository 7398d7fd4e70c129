"""OpenTelemetry's own exporters, listened to: what they would keep to themselves is told.

An exporter answers only whether it worked, and takes a redirect for a success and a
partial success for a whole one. Here its answer comes with the status, whether sending
the same again can help, and how many records the receiver has not taken.
"""

from __future__ import annotations

import importlib.metadata
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import grpc
import requests
from google.protobuf.message import DecodeError
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import (
    OTLPLogExporter as GrpcLogExporter,
)
from opentelemetry.exporter.otlp.proto.grpc.exporter import OTLPExporterMixin
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import (
    OTLPMetricExporter as GrpcMetricExporter,
)
from opentelemetry.exporter.otlp.proto.http._log_exporter import (
    OTLPLogExporter as HttpLogExporter,
)
from opentelemetry.exporter.otlp.proto.http.metric_exporter import (
    OTLPMetricExporter as HttpMetricExporter,
)
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceResponse,
)
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter

TIMEOUT_S: Final = 10.0
_MOST_ANSWER_BYTES: Final = 64 * 1024
# The records themselves are at fault: sent again, they would be refused again.
_BAD_HTTP: Final = frozenset({400, 413, 422})
_BAD_GRPC: Final = grpc.StatusCode.INVALID_ARGUMENT.value[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What came of an export.

    Attributes:
        delivered: The receiver has taken it, at least in part.
        bad: It will never take these records.
        code: HTTP or gRPC status; None when there was no answer.
        message: What it has said.
        rejected: How many records it says it has not taken.
    """

    delivered: bool
    bad: bool = False
    code: int | None = None
    message: str = ""
    rejected: int = 0


class LogSender(Protocol):
    """Sends log records."""

    def send(self, records: Sequence[ReadableLogRecord]) -> Sent:
        """Send, within `TIMEOUT_S`."""
        ...

    def shutdown(self) -> None:
        """End what is under way."""
        ...


# Always something: without headers of its own an exporter takes those of the environment,
# which are meant for another receiver.
_ALWAYS: Final = {"x-fleetspan-version": importlib.metadata.version("fleetspan")}
_OF_THE_PROTOCOL: Final = frozenset({"content-type", "content-encoding", "user-agent"})


def log_sender(protocol: str, endpoint: str, headers: dict[str, str]) -> LogSender:
    """A sender for one of the protocols of OTLP, with these headers and no others."""
    _quiet()
    headers = _ALWAYS | headers
    if protocol == "grpc":
        return _GrpcLogs(endpoint, headers)
    return _HttpLogs(endpoint, headers)


def metric_exporter(
    protocol: str, endpoint: str, headers: dict[str, str]
) -> MetricExporter:
    """An exporter of metrics, likewise."""
    _quiet()
    headers = _ALWAYS | headers
    if protocol == "grpc":
        return GrpcMetricExporter(endpoint=endpoint, headers=headers, timeout=TIMEOUT_S)
    return HttpMetricExporter(
        endpoint=f"{endpoint}/v1/metrics",
        headers=headers,
        timeout=TIMEOUT_S,
        session=_Session(headers),
    )


def _quiet() -> None:
    """Leave the log to us: an exporter writes a line about each attempt that fails."""
    for kind in (HttpLogExporter, HttpMetricExporter, OTLPExporterMixin):
        logging.getLogger(kind.__module__).setLevel(logging.CRITICAL)


class _Session(requests.Session):
    """Remembers the latest answer, of which it reads only so much for so long."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._wanted = _OF_THE_PROTOCOL | set(headers)
        self.status: int | None = None
        self.body = b""
        # Else a .netrc would replace the user's own authorization.
        self.auth = lambda request: request

    def request(self, *args: Any, **options: Any) -> Any:
        """Send a request."""
        self.status, self.body = None, b""
        options["stream"] = True
        options["headers"] = {
            name: value
            for name, value in options["headers"].items()
            if name.lower() in self._wanted
        }
        response = super().request(*args, **options)
        self.status = response.status_code
        try:
            self.body = _beginning(response)
        except (OSError, requests.RequestException):
            self.body = b""
        finally:
            response.close()
        return response


def _beginning(response: Any) -> bytes:
    until_s = time.monotonic() + TIMEOUT_S
    body = b""
    for piece in response.iter_content(1024):
        body += piece
        if len(body) > _MOST_ANSWER_BYTES or time.monotonic() > until_s:
            break
    return body


class _HttpLogs:
    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        self._session = _Session(headers)
        self._exporter = HttpLogExporter(
            endpoint=f"{endpoint}/v1/logs",
            headers=headers,
            timeout=TIMEOUT_S,
            session=self._session,
        )

    def send(self, records: Sequence[ReadableLogRecord]) -> Sent:
        result = self._exporter.export(records)
        status, body = self._session.status, self._session.body
        if result is not LogRecordExportResult.SUCCESS:
            message = body.decode("utf-8", "replace") or "no answer"
            bad = status in _BAD_HTTP
            return Sent(delivered=False, bad=bad, code=status, message=message)
        if status is not None and status >= 300:
            message = "redirects are not followed"
            return Sent(delivered=False, code=status, message=message)
        try:
            answer = ExportLogsServiceResponse.FromString(body)
        except DecodeError:
            # Some receivers answer with a word.
            answer = ExportLogsServiceResponse()
        return _taken(answer, status)

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _GrpcLogs(GrpcLogExporter):
    def __init__(self, endpoint: str, headers: Mapping[str, str]) -> None:
        self._answer: ExportLogsServiceResponse | None = None
        self._error: grpc.RpcError | None = None
        super().__init__(endpoint=endpoint, headers=dict(headers), timeout=TIMEOUT_S)

    def _initialize_channel_and_stub(self) -> None:
        # The exporter's own, and again after each lost connection.
        super()._initialize_channel_and_stub()  # type: ignore[no-untyped-call]
        client: Any = self._client
        export = client.Export

        def listening(**call: Any) -> Any:
            try:
                self._answer = export(**call)
            except grpc.RpcError as error:
                self._error = error
                raise
            return self._answer

        client.Export = listening

    def send(self, records: Sequence[ReadableLogRecord]) -> Sent:
        self._answer = self._error = None
        result = self.export(records)
        if result is LogRecordExportResult.SUCCESS:
            return _taken(self._answer or ExportLogsServiceResponse(), 0)
        code, message = None, "no answer"
        if self._error is not None:
            code = self._error.code().value[0]
            message = self._error.details() or self._error.code().name
        bad = code == _BAD_GRPC
        return Sent(delivered=False, bad=bad, code=code, message=message)


def _taken(answer: ExportLogsServiceResponse, code: int | None) -> Sent:
    partial = answer.partial_success
    return Sent(
        delivered=True,
        code=code,
        message=partial.error_message,
        rejected=partial.rejected_log_records,
    )
