"""OpenTelemetry providers: the user's where they are set, else ours with OTLP exporters."""

from __future__ import annotations

import importlib
import os
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from opentelemetry import _logs, metrics, trace

from fleetspan import _semconv as semconv
from fleetspan._config import Config
from fleetspan._errors import ConfigError
from fleetspan._guard import complain
from fleetspan._process import process_id

if TYPE_CHECKING:
    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import TracerProvider

Signal = Literal["traces", "logs", "metrics"]

_EXPORTERS: Final = ("otlp", "console", "none")
_PROTOCOLS: Final = ("http/protobuf", "grpc")

# signal -> (module below opentelemetry.exporter.otlp.proto.{http,grpc}, class)
_OTLP_CLASSES: Final[Mapping[Signal, tuple[str, str]]] = {
    "traces": ("trace_exporter", "OTLPSpanExporter"),
    "logs": ("_log_exporter", "OTLPLogExporter"),
    "metrics": ("metric_exporter", "OTLPMetricExporter"),
}
_CONSOLE_CLASSES: Final[Mapping[Signal, tuple[str, str]]] = {
    "traces": ("opentelemetry.sdk.trace.export", "ConsoleSpanExporter"),
    "logs": ("opentelemetry.sdk._logs.export", "ConsoleLogRecordExporter"),
    "metrics": ("opentelemetry.sdk.metrics.export", "ConsoleMetricExporter"),
}

# Providers that we made and that are shut down: a new set-up must not take them for the
# user's own. OpenTelemetry lets a global provider be set only once.
_retired: set[int] = set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Providers:
    """The three providers that a set-up writes to.

    Attributes:
        tracer: Where spans go.
        logger: Where start events go.
        meter: Where metrics go.
        ours: Those of the three that we made, in the order in which to flush them.
    """

    tracer: TracerProvider
    logger: LoggerProvider
    meter: MeterProvider
    ours: tuple[Any, ...] = ()


def make_providers(
    config: Config,
    *,
    tracer_provider: TracerProvider | None = None,
    logger_provider: LoggerProvider | None = None,
    meter_provider: MeterProvider | None = None,
    lenient: bool = False,
) -> Providers:
    """Take the user's providers where there are any, and make the others.

    Args:
        config: The settings.
        tracer_provider: Where spans must go; None: the global one, else one of ours.
        logger_provider: The same for start events.
        meter_provider: The same for metrics.
        lenient: A signal whose exporter cannot be had is logged and not sent, and the
            others are; False: it is an error.

    Returns:
        The providers. Ours have exporters and threads of their own.

    Raises:
        ConfigError: When an exporter or a protocol is unknown or not installed.
    """
    if config.disabled:
        return Providers(
            tracer=trace.NoOpTracerProvider(),
            logger=_logs.NoOpLoggerProvider(),
            meter=metrics.NoOpMeterProvider(),
        )
    # The exporters first: a missing extra is found before anything global is touched.
    tracer = tracer_provider or _users_own(trace.get_tracer_provider())
    logger = logger_provider or _users_own(_logs.get_logger_provider())
    meter = meter_provider or _users_own(metrics.get_meter_provider())
    find = _exporters_or_none if lenient else _exporters
    span_exporters = [] if tracer else find("traces", config)
    log_exporters = [] if logger else find("logs", config)
    needs_metrics = config.metrics and not meter
    metric_exporters = find("metrics", config) if needs_metrics else []
    # The same identity as the spans of the user's own provider.
    resource = getattr(tracer, "resource", None) or make_resource(config)
    ours: list[Any] = []
    if tracer is None:
        tracer = _tracer_provider(config, resource, span_exporters)
        ours.append(tracer)
        if config.set_global and _is_unset(trace.get_tracer_provider()):
            trace.set_tracer_provider(tracer)
    if logger is None:
        logger = _logger_provider(config, resource, log_exporters)
        ours.append(logger)
        if config.set_global and _is_unset(_logs.get_logger_provider()):
            _logs.set_logger_provider(logger)
    if meter is None:
        meter = _meter_provider(config, resource, metric_exporters)
        ours.append(meter)
        if config.set_global and _is_unset(metrics.get_meter_provider()):
            metrics.set_meter_provider(meter)
    return Providers(tracer=tracer, logger=logger, meter=meter, ours=tuple(ours))


def retire(providers: Providers) -> None:
    """Remember that these providers of ours are shut down."""
    _retired.update(id(each) for each in providers.ours)


def refresh_process(providers: Providers) -> None:
    """Say in a forked child that this is another process."""
    from opentelemetry.sdk.resources import Resource

    now = _this_process()
    for provider in providers.ours:
        # OpenTelemetry itself refreshes only what its own detectors found.
        update = getattr(provider, "_update_resource", None)
        if update is not None:
            update(Resource(now))


def _this_process() -> dict[str, str | int]:
    named = process_id()
    return {
        semconv.PROCESS_PID: os.getpid(),
        semconv.SERVICE_INSTANCE_ID: str(uuid.uuid4()),
        **({semconv.PROCESS_ID: named} if named else {}),
    }


def make_resource(config: Config) -> Resource:
    """Return what this process is, from the settings and ``OTEL_RESOURCE_ATTRIBUTES``."""
    from opentelemetry.sdk.resources import Resource

    said = Resource.create()
    ours = {semconv.HOST_NAME: socket.gethostname(), **_this_process()}
    by_setting = {
        semconv.SERVICE_NAME: config.service_name,
        semconv.PROJECT: config.project,
        semconv.ENVIRONMENT: config.environment,
    }
    chosen = {name: value for name, value in by_setting.items() if value is not None}
    # What the user says of the resource outranks what we find out, not what we were told.
    return Resource(ours).merge(said).merge(Resource(chosen))


def _users_own(provider: Any) -> Any:
    return None if _is_unset(provider) or id(provider) in _retired else provider


def _is_unset(provider: object) -> bool:
    """Tell OpenTelemetry's stand-in for "nobody has set one" from a real provider."""
    return type(provider).__name__.lstrip("_").startswith("Proxy")


def _tracer_provider(config: Config, resource: Resource, exporters: list[Any]) -> Any:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from fleetspan._processors import guarded_span_processors

    provider = TracerProvider(
        resource=resource,
        # Its own exit handler may wait for 30 s and more; ours is bounded.
        shutdown_on_exit=False,
        active_span_processor=guarded_span_processors(),
    )
    for exporter in exporters:
        provider.add_span_processor(
            BatchSpanProcessor(
                exporter,
                max_queue_size=config.max_queue_size,
                schedule_delay_millis=config.span_delay_ms,
                max_export_batch_size=_batch_size("OTEL_BSP", config),
            )
        )
    return provider


def _logger_provider(config: Config, resource: Resource, exporters: list[Any]) -> Any:
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

    provider = LoggerProvider(resource=resource, shutdown_on_exit=False)
    for exporter in exporters:
        provider.add_log_record_processor(
            BatchLogRecordProcessor(
                exporter,
                max_queue_size=config.max_queue_size,
                schedule_delay_millis=config.start_event_delay_ms,
                max_export_batch_size=_batch_size("OTEL_BLRP", config),
            )
        )
    return provider


def _meter_provider(config: Config, resource: Resource, exporters: list[Any]) -> Any:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    readers = [
        PeriodicExportingMetricReader(
            exporter, export_interval_millis=config.metric_interval_ms
        )
        for exporter in exporters
    ]
    return MeterProvider(readers, resource=resource, shutdown_on_exit=False)


def _batch_size(prefix: str, config: Config) -> int:
    said = os.environ.get(prefix + "_MAX_EXPORT_BATCH_SIZE", "").strip()
    size = int(said) if said.isdecimal() and int(said) > 0 else 512
    return min(size, config.max_queue_size)


def _exporters_or_none(signal: Signal, config: Config) -> list[Any]:
    try:
        return _exporters(signal, config)
    except ConfigError as error:
        complain(error.setting, error.problem)
        return []


def _exporters(signal: Signal, config: Config) -> list[Any]:
    """Return the exporters that ``OTEL_<SIGNAL>_EXPORTER`` asks for, OTLP when unset."""
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    names = [each.strip() for each in os.environ.get(variable, "").split(",")]
    exporters = []
    for name in [each for each in names if each] or ["otlp"]:
        if name == "otlp":
            exporters.append(_otlp_exporter(signal, config))
        elif name == "console":
            module, class_name = _CONSOLE_CLASSES[signal]
            exporters.append(getattr(importlib.import_module(module), class_name)())
        elif name != "none":
            expected = "expected one of " + ", ".join(_EXPORTERS)
            raise ConfigError(variable, f"unknown exporter, got {name!r}, {expected}")
    return exporters


def _otlp_exporter(signal: Signal, config: Config) -> Any:
    protocol, source = _protocol(signal, config)
    if protocol not in _PROTOCOLS:
        expected = "expected one of " + ", ".join(_PROTOCOLS)
        raise ConfigError(source, f"unknown protocol, got {protocol!r}, {expected}")
    package = "grpc" if protocol == "grpc" else "http"
    module_name, class_name = _OTLP_CLASSES[signal]
    try:
        module = importlib.import_module(
            f"opentelemetry.exporter.otlp.proto.{package}.{module_name}"
        )
    except ImportError as error:
        install = (
            "pip install 'fleetspan[grpc]'"
            if package == "grpc"
            else "pip install opentelemetry-exporter-otlp-proto-http"
        )
        problem = f"{protocol!r} needs a package that is not installed, try: {install}"
        raise ConfigError(source, problem) from error
    exporter = getattr(module, class_name)
    if config.endpoint is None:
        return exporter()
    if package == "grpc":
        insecure = config.endpoint.startswith("http://")
        return exporter(endpoint=config.endpoint, insecure=insecure)
    return exporter(endpoint=f"{config.endpoint}/v1/{signal}")


def _protocol(signal: Signal, config: Config) -> tuple[str, str]:
    if config.protocol is not None:
        return config.protocol, "protocol"
    for variable in (
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
    ):
        if said := os.environ.get(variable, "").strip():
            return said, variable
    return _PROTOCOLS[0], "OTEL_EXPORTER_OTLP_PROTOCOL"
