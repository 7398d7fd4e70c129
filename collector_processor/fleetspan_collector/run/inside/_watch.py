"""The span processor that every provider of the program gets."""

from __future__ import annotations

import importlib
import logging
import os
import re
import threading
from collections.abc import Iterator
from typing import Any

from . import _flush, _notes
from ._guard import guard

HTTP = "_FLEETSPAN_RUN_HTTP"
GRPC = "_FLEETSPAN_RUN_GRPC"
INVOCATION = "_FLEETSPAN_RUN_ID"
_CLASSES = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
}
_INSIDE = ("_batch_processor", "_exporter", "span_exporter", "exporter", "processor")
_DEEPEST = 8


def invocation() -> str:
    """Return the id of the run of the command."""
    return os.environ.get(INVOCATION, "")


def exporter_class(signal: str) -> tuple[Any, dict[str, Any]]:
    """Return an exporter's class and what to make it with: HTTP, else gRPC.

    Raises:
        ImportError: When neither is installed.
    """
    module, name = _CLASSES[signal]
    package = "opentelemetry.exporter.otlp.proto"
    http, grpc = os.environ.get(HTTP, ""), os.environ.get(GRPC, "")
    _hush((f"{package}.http.{module}", f"{package}.grpc.exporter"))
    try:
        found = importlib.import_module(f"{package}.http.{module}")
        return getattr(found, name), {"endpoint": f"{http}/v1/{signal}"}
    except ImportError:
        if not grpc:
            raise
    found = importlib.import_module(f"{package}.grpc.{module}")
    return getattr(found, name), {
        "endpoint": f"{http.partition(':')[0]}://{grpc}",
        "insecure": http.startswith("http:"),
    }


def _hush(loggers: tuple[str, ...]) -> None:
    """Keep from the program's error stream that the collector cannot be reached."""
    for name in loggers:
        logging.getLogger(name).addFilter(_is_of_another)


def _is_of_another(record: logging.LogRecord) -> bool:
    text = record.getMessage()
    ports = {os.environ.get(each, "").rpartition(":")[2] for each in (HTTP, GRPC)}
    if any(port and re.search(rf"\b{port}\b", text) for port in ports):
        _notes.problem("reach the collector at all times")
        return False
    return True


class Watch:
    """Sends a provider's spans to the collector, unless something else of it does.

    Args:
        provider: An SDK's ``TracerProvider``.
    """

    def __init__(self, provider: Any) -> None:
        self._provider = provider
        self._others = -1
        self._sender: Any = None
        self._lock = threading.Lock()

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Nothing: spans are sent when they end."""

    def _on_ending(self, span: Any) -> None:
        """Nothing."""

    def on_end(self, span: Any) -> None:
        """Send a span."""
        with guard("send a span"):
            others = list(self._other_processors())
            if len(others) != self._others:
                self._decide(others)
            if self._sender is not None:
                self._sender.on_end(span)

    def shutdown(self) -> None:
        """Send what is left; the program does not wait for it for long."""
        _flush.flush()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what is there, for at most so long."""
        return _flush.flush(timeout_millis / 1000)

    def _decide(self, others: list[Any]) -> None:
        with self._lock:
            if any(_sends_to_the_collector(each, _DEEPEST) for each in others):
                self._sender = None
            elif self._sender is None:
                self._sender = _make_sender()
            self._others = len(others)

    def _other_processors(self) -> Iterator[Any]:
        return processors_of(self._provider)


class Shared:
    """Hands spans of one provider to the program's processors of another.

    Args:
        provider: The other one, an SDK's ``TracerProvider``.
    """

    def __init__(self, provider: Any) -> None:
        # Fails here, where it can be told, when this is no SDK's provider.
        self._provider = provider
        provider._active_span_processor._span_processors  # noqa: B018

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Pass it on."""
        for each in processors_of(self._provider):
            each.on_start(span, parent_context=parent_context)

    def _on_ending(self, span: Any) -> None:
        for each in processors_of(self._provider):
            getattr(each, "_on_ending", _ignore)(span)

    def on_end(self, span: Any) -> None:
        """Pass it on."""
        for each in processors_of(self._provider):
            each.on_end(span)

    def shutdown(self) -> None:
        """Nothing: that is the other provider's."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Nothing: that is the other provider's."""
        return True


def processors_of(provider: Any) -> Iterator[Any]:
    """Yield a provider's span processors but for ours."""
    active = getattr(provider, "_active_span_processor", None)
    for each in getattr(active, "_span_processors", ()):
        if not isinstance(each, (Watch, Shared)):
            yield each


def _ignore(_: Any) -> None:
    """Do nothing."""


def _make_sender() -> Any:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    try:
        exporter, options = exporter_class("traces")
    except ImportError:
        _notes.sending(None)
        return None
    sender = BatchSpanProcessor(exporter(**options))
    _flush.add(sender, first=True)
    _flush.flush_on_sigterm()
    _notes.sending("spans")
    return sender


def _sends_to_the_collector(holder: Any, depth: int) -> bool:
    """Look for an exporter with the collector's address, in what others have wrapped."""
    endpoint = getattr(holder, "_endpoint", None)
    if isinstance(endpoint, str):
        addresses = (os.environ.get(HTTP), os.environ.get(GRPC))
        return any(each and each in endpoint for each in addresses)
    if depth == 0:
        return False
    inside = [getattr(holder, name, None) for name in _INSIDE]
    inside += list(getattr(holder, "_span_processors", ()))
    return any(
        _sends_to_the_collector(each, depth - 1) for each in inside if each is not None
    )
