"""Where the program's spans go: to the collector, wherever else they go too.

OpenTelemetry's global provider can be set only once, and that is the program's to do. So
nothing is set at the start: until somebody sets a provider OpenTelemetry hands out proxies,
and ours is set when the first of them is used. A provider that the program makes gets one
more span processor; it stays silent while another one of the program's sends to the same
collector.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

from . import _flush, _notes
from ._flush import flush_on_sigterm
from ._guard import guard
from ._imports import AfterImport
from ._watch import Shared, Watch, exporter_class, invocation

__all__ = ["flush_on_sigterm", "watch"]

_setting_up = threading.RLock()
_busy = threading.local()
_is_settled = False
_ours: Any = None


def watch(imports: AfterImport) -> None:
    """Wait for OpenTelemetry."""
    imports.when("opentelemetry.trace", _on_api)
    imports.when("opentelemetry.sdk.trace", _on_sdk)


def _on_api(trace: Any) -> None:
    proxy = trace.ProxyTracer
    original = proxy._tracer

    def tracer(self: Any) -> Any:
        if not _is_settled:
            with guard("set providers up"):
                _settle(trace)
        return original.fget(self)

    # Read whenever a span is about to start; a decorated function does not read it yet.
    proxy._tracer = property(tracer)
    set_provider = trace.set_tracer_provider

    @functools.wraps(set_provider)
    def set_tracer_provider(tracer_provider: Any) -> None:
        if _ours is not None and tracer_provider is not _ours:
            # Too late to be the global one: let it have what ours gets from now on.
            with guard("share spans with the program's provider"):
                _ours.add_span_processor(Shared(tracer_provider))
                return
        set_provider(tracer_provider)

    trace.set_tracer_provider = set_tracer_provider


def _on_sdk(sdk: Any) -> None:
    provider = sdk.TracerProvider
    original = provider.__init__

    @functools.wraps(original)
    def make(self: Any, *arguments: Any, **options: Any) -> None:
        with guard("mark a provider"):
            arguments, options = _marked(arguments, options)
        original(self, *arguments, **options)
        with guard("watch a provider"):
            self.add_span_processor(Watch(self))

    provider.__init__ = make


def _marked(
    arguments: tuple[Any, ...], options: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Have the provider's resource name the run, also where the program made it."""
    given = arguments[1] if len(arguments) > 1 else options.get("resource")
    if given is None:
        # OpenTelemetry reads the variable itself.
        return arguments, options
    from opentelemetry.sdk.resources import Resource

    mark = Resource({"fleetspan.invocation.id": invocation()})
    if len(arguments) > 1:
        return (arguments[0], given.merge(mark), *arguments[2:]), options
    return arguments, {**options, "resource": given.merge(mark)}


def _settle(trace: Any) -> None:
    """Set our providers, unless the program has set its own."""
    global _is_settled, _ours
    if getattr(_busy, "here", False):
        return
    with _setting_up:
        if _is_settled:
            return
        _busy.here = True
        try:
            if not _is_unset(trace.get_tracer_provider()):
                return
            if not _notes.can_send():
                _notes.sending(None)
                return
            from opentelemetry.sdk.trace import TracerProvider

            # Its exit handler may wait for half a minute; ours is bounded.
            ours = TracerProvider(shutdown_on_exit=False)
            trace.set_tracer_provider(ours)
            _ours = ours
            for set_up in (_set_up_logs, _set_up_metrics):
                with guard("set providers up"):
                    set_up()
        finally:
            _is_settled = True
            _busy.here = False


def _set_up_logs() -> None:
    from opentelemetry import _logs
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    if _is_unset(_logs.get_logger_provider()):
        exporter, options = exporter_class("logs")
        provider = LoggerProvider(shutdown_on_exit=False)
        provider.add_log_record_processor(BatchLogRecordProcessor(exporter(**options)))
        _logs.set_logger_provider(provider)
        _flush.add(provider)


def _set_up_metrics() -> None:
    from opentelemetry import metrics
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    if _is_unset(metrics.get_meter_provider()):
        exporter, options = exporter_class("metrics")
        reader = PeriodicExportingMetricReader(exporter(**options))
        provider = MeterProvider([reader], shutdown_on_exit=False)
        metrics.set_meter_provider(provider)
        _flush.add(provider)


def _is_unset(provider: object) -> bool:
    """Tell OpenTelemetry's stand-in for "nobody has set one" from a real provider."""
    return "Proxy" in type(provider).__name__ and (
        type(provider).__module__.startswith("opentelemetry.")
    )
