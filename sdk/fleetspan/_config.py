"""The settings of the SDK: one frozen dataclass, each field also ``FLEETSPAN_*``."""

# ruff: noqa: TRY004, RUF009 - a bad value is a ValueError whatever is wrong with it, and
# _setting() is dataclasses.field() with a reader

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final, Literal, TypedDict, get_args
from urllib.parse import urlsplit

from fleetspan._errors import ConfigError

Protocol = Literal["http/protobuf", "grpc"]
Semconv = Literal["both", "latest"]

ENV_PREFIX: Final = "FLEETSPAN_"
STABILITY_OPT_IN: Final = "OTEL_SEMCONV_STABILITY_OPT_IN"

# What the collector tells a command of a finding; the command may use the SDK.
FINDING_PREFIX: Final = "FLEETSPAN_FINDING_"

# Settings of the collector and of the command: a shell may set them for those.
COLLECTOR_SETTINGS: Final = frozenset(
    {
        "FLEETSPAN_BASELINE_DAYS",
        "FLEETSPAN_CLICKHOUSE",
        "FLEETSPAN_CONFIG",
        "FLEETSPAN_CONTENT_POLICY",
        "FLEETSPAN_CONTROL_FILE",
        "FLEETSPAN_CPU_BUDGET_BUSY_CORES",
        "FLEETSPAN_CPU_BUDGET_IDLE_CORES",
        "FLEETSPAN_DATA",
        "FLEETSPAN_ENGINE_MEMORY_BYTES",
        "FLEETSPAN_ENGINE_THREADS",
        "FLEETSPAN_FREE_DISK_FLOOR_BYTES",
        "FLEETSPAN_GRPC",
        "FLEETSPAN_HOOK_ENDPOINT",
        "FLEETSPAN_HTTP",
        "FLEETSPAN_IDLE_TIMEOUT_S",
        "FLEETSPAN_INSECURE",
        "FLEETSPAN_JAEGER",
        "FLEETSPAN_JOURNAL_CAP_BYTES",
        "FLEETSPAN_JOURNAL_SEGMENT_BYTES",
        "FLEETSPAN_NOTIFY_HOOKS",
        "FLEETSPAN_NOTIFY_KEEP_TRYING_HOURS",
        "FLEETSPAN_NOTIFY_OTLP_ENDPOINT",
        "FLEETSPAN_NOTIFY_OTLP_HEADERS",
        "FLEETSPAN_NOTIFY_OTLP_INTERVAL_S",
        "FLEETSPAN_NOTIFY_OTLP_PROTOCOL",
        "FLEETSPAN_OWN_METRICS_S",
        "FLEETSPAN_PRICE_OVERRIDE_FILE",
        "FLEETSPAN_PROCESSORS_OFF",
        "FLEETSPAN_PROCESSOR_TIMEOUT_S",
        "FLEETSPAN_REDACT",
        "FLEETSPAN_REDACT_PATTERNS",
        "FLEETSPAN_REQUEST_LIMIT_BYTES",
        "FLEETSPAN_RETENTION_LOGS_DAYS",
        "FLEETSPAN_RETENTION_METRICS_DAYS",
        "FLEETSPAN_RETENTION_RUNS_DAYS",
        "FLEETSPAN_RETENTION_TRACES_DAYS",
        "FLEETSPAN_SNAPSHOT_BEFORE_COMPACTION",
        "FLEETSPAN_SNAPSHOT_BEFORE_TOOLS",
        "FLEETSPAN_SNAPSHOT_BUDGET_SHARE",
        "FLEETSPAN_SNAPSHOT_BUDGET_TOKENS",
        "FLEETSPAN_SNAPSHOT_BUDGET_USD",
        "FLEETSPAN_SNAPSHOT_CONTEXT_SHARE",
        "FLEETSPAN_SNAPSHOT_ERROR_COUNT",
        "FLEETSPAN_SNAPSHOT_ERROR_WINDOW_S",
        "FLEETSPAN_SNAPSHOT_EVERY_AGENTS",
        "FLEETSPAN_SNAPSHOT_EVERY_TOKENS",
        "FLEETSPAN_SNAPSHOT_LIMIT",
        "FLEETSPAN_SNAPSHOT_STATE",
        "FLEETSPAN_SNAPSHOT_WHEN_ABANDONED",
        "FLEETSPAN_SPOOL",
        "FLEETSPAN_STORE",
        "FLEETSPAN_STORE_CAP_BYTES",
        "FLEETSPAN_TENANT",
        "FLEETSPAN_VALUE_LIMIT_BYTES",
        "FLEETSPAN_WEB",
    }
)

# Families of such settings, of which new detectors bring more.
COLLECTOR_PREFIXES: Final = (
    "FLEETSPAN_CLICKHOUSE_",
    "FLEETSPAN_DETECT_",
    "FLEETSPAN_FORWARD",
    "FLEETSPAN_GRAFANA_TOKEN",
    "FLEETSPAN_KEY",
    "FLEETSPAN_NOTIFY_",
    "FLEETSPAN_TLS_",
)


class Settings(TypedDict, total=False):
    """What `configure` accepts by keyword; each is a field of `Config`."""

    endpoint: str | None
    protocol: Protocol | None
    service_name: str | None
    project: str | None
    environment: str | None
    capture_content: bool
    semconv: Semconv
    start_events: bool
    metrics: bool
    span_delay_ms: int
    start_event_delay_ms: int
    metric_interval_ms: int
    max_queue_size: int
    exit_timeout_s: float
    set_global: bool
    snapshot_endpoint: str | None
    snapshot_wait_s: float
    disabled: bool


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("text")
    return value


def _switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else ""
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise ValueError("true or false")


def _whole(value: object) -> int:
    problem = "a whole number, 1 or more"
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(problem)
    try:
        number = int(value)
    except ValueError:
        raise ValueError(problem) from None
    if number < 1:
        raise ValueError(problem)
    return number


def _seconds(value: object) -> float:
    problem = "a number of seconds, 0 or more"
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(problem)
    try:
        number = float(value)
    except ValueError:
        raise ValueError(problem) from None
    if not 0 <= number < float("inf"):
        raise ValueError(problem)
    return number


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in words:
            raise ValueError("one of " + ", ".join(words))
        return str(value)

    return read


def _endpoint(value: object) -> str:
    problem = "an address such as http://localhost:4318"
    if not isinstance(value, str):
        raise ValueError(problem)
    address = value if "://" in value else "http://" + value
    parts = urlsplit(address)
    try:
        port_is_fine = parts.port is None or parts.port > 0
    except ValueError:
        port_is_fine = False
    if parts.scheme not in {"http", "https"} or not parts.hostname or not port_is_fine:
        raise ValueError(problem)
    return address.rstrip("/")


def _setting(default: Any, read: Callable[[object], object]) -> Any:
    return field(default=default, metadata={"read": read})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Settings of the SDK. Each field is also an environment variable.

    The standard ``OTEL_*`` variables are honoured too; a setting given here wins.

    Attributes:
        endpoint: Base address of the OTLP receiver; None: ``OTEL_EXPORTER_OTLP_*``, else
            OpenTelemetry's default on this machine (``FLEETSPAN_ENDPOINT``).
        protocol: ``http/protobuf`` or ``grpc`` (needs the ``grpc`` extra); None:
            ``OTEL_EXPORTER_OTLP_PROTOCOL``, else http/protobuf (``FLEETSPAN_PROTOCOL``).
        service_name: ``service.name`` of the resource; None: ``OTEL_SERVICE_NAME``
            (``FLEETSPAN_SERVICE_NAME``).
        project: What the runs belong to, for grouping (``FLEETSPAN_PROJECT``).
        environment: Such as ``production`` (``FLEETSPAN_ENVIRONMENT``).
        capture_content: Record prompts, outputs, arguments, results, tasks and diffs;
            off, only their hashes and sizes (``FLEETSPAN_CAPTURE_CONTENT``).
        semconv: Generation of the GenAI conventions to write: ``both``, or ``latest``
            alone, as ``OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental`` also
            says (``FLEETSPAN_SEMCONV``).
        start_events: Send a log event when a run, an agent or a tool starts
            (``FLEETSPAN_START_EVENTS``).
        metrics: Record the GenAI metrics (``FLEETSPAN_METRICS``).
        span_delay_ms: Longest wait of a finished span before it is sent, in milliseconds;
            ``OTEL_BSP_SCHEDULE_DELAY`` is its other name (``FLEETSPAN_SPAN_DELAY_MS``).
        start_event_delay_ms: The same for start events; ``OTEL_BLRP_SCHEDULE_DELAY`` is
            its other name (``FLEETSPAN_START_EVENT_DELAY_MS``).
        metric_interval_ms: Milliseconds between two exports of the metrics;
            ``OTEL_METRIC_EXPORT_INTERVAL`` is its other name
            (``FLEETSPAN_METRIC_INTERVAL_MS``).
        max_queue_size: Spans, and start events, kept while the receiver is slow; more are
            dropped. ``OTEL_BSP_MAX_QUEUE_SIZE`` is its other name
            (``FLEETSPAN_MAX_QUEUE_SIZE``).
        exit_timeout_s: Longest that the program's exit waits for the last export, in
            seconds; 0 does not wait (``FLEETSPAN_EXIT_TIMEOUT_S``).
        set_global: Make our providers OpenTelemetry's global ones where there are none, so
            that other instrumentations are recorded too (``FLEETSPAN_SET_GLOBAL``).
        snapshot_endpoint: Base address of the collector's OTLP HTTP port, where snapshots
            go; None: ``endpoint``, else ``OTEL_EXPORTER_OTLP_ENDPOINT``; of port 4317,
            which is gRPC's, the same host's 4318 (``FLEETSPAN_SNAPSHOT_ENDPOINT``).
        snapshot_wait_s: Longest that `snapshot` waits until the collector has it, in
            seconds; 0 does not wait (``FLEETSPAN_SNAPSHOT_WAIT_S``).
        disabled: Record nothing; ``OTEL_SDK_DISABLED`` is its other name
            (``FLEETSPAN_DISABLED``).
    """

    endpoint: str | None = _setting(None, _endpoint)
    protocol: Protocol | None = _setting(None, _one_of(get_args(Protocol)))
    service_name: str | None = _setting(None, _text)
    project: str | None = _setting(None, _text)
    environment: str | None = _setting(None, _text)
    capture_content: bool = _setting(False, _switch)
    semconv: Semconv = _setting("both", _one_of(get_args(Semconv)))
    start_events: bool = _setting(True, _switch)
    metrics: bool = _setting(True, _switch)
    span_delay_ms: int = _setting(200, _whole)
    start_event_delay_ms: int = _setting(200, _whole)
    metric_interval_ms: int = _setting(15_000, _whole)
    max_queue_size: int = _setting(32_768, _whole)
    exit_timeout_s: float = _setting(3.0, _seconds)
    set_global: bool = _setting(True, _switch)
    snapshot_endpoint: str | None = _setting(None, _endpoint)
    snapshot_wait_s: float = _setting(5.0, _seconds)
    disabled: bool = _setting(False, _switch)


FIELDS: Final = tuple(each.name for each in fields(Config))

# Standard variables that mean the same as a field of ours, which wins over them.
OTEL_NAMES: Final[Mapping[str, str]] = {
    "span_delay_ms": "OTEL_BSP_SCHEDULE_DELAY",
    "start_event_delay_ms": "OTEL_BLRP_SCHEDULE_DELAY",
    "metric_interval_ms": "OTEL_METRIC_EXPORT_INTERVAL",
    "max_queue_size": "OTEL_BSP_MAX_QUEUE_SIZE",
}


def variable_of(name: str) -> str:
    """Return the environment variable of a field of `Config`."""
    return ENV_PREFIX + name.upper()


def load(
    given: Mapping[str, object], environ: Mapping[str, str]
) -> tuple[Config, list[ConfigError]]:
    """Read the settings: what was given, then ``FLEETSPAN_*``, ``OTEL_*``, defaults.

    Args:
        given: Settings by the name of their field, as passed to `configure`.
        environ: Environment variables.

    Returns:
        The settings, where a bad one has its default, and what was wrong.
    """
    problems = _unknown(given, environ)
    values: dict[str, Any] = {}
    for each in fields(Config):
        for source, value in _sources(each.name, given, environ):
            try:
                values[each.name] = each.metadata["read"](value)
            except ValueError as expected:
                problems.append(
                    ConfigError(source, f"got {value!r}, expected {expected}")
                )
            else:
                break
    return Config(**values), problems


def _sources(
    name: str, given: Mapping[str, object], environ: Mapping[str, str]
) -> list[tuple[str, object]]:
    """Return where a setting is said, the strongest first; an empty variable is unset."""
    found: list[tuple[str, object]] = []
    if given.get(name) is not None:
        found.append((name, given[name]))
    for variable in (variable_of(name), OTEL_NAMES.get(name)):
        if variable and environ.get(variable, "").strip():
            found.append((variable, environ[variable].strip()))
    opted_in = environ.get(STABILITY_OPT_IN, "").replace(" ", "").split(",")
    if name == "semconv" and "gen_ai_latest_experimental" in opted_in:
        found.append((STABILITY_OPT_IN, "latest"))
    if name == "disabled" and environ.get("OTEL_SDK_DISABLED", "").strip():
        # The specification: anything but a case-insensitive "true" is false.
        said = environ["OTEL_SDK_DISABLED"].strip().lower() == "true"
        found.append(("OTEL_SDK_DISABLED", said))
    return found


def _unknown(
    given: Mapping[str, object], environ: Mapping[str, str]
) -> list[ConfigError]:
    known = {variable_of(name) for name in FIELDS}
    problems = [
        ConfigError(name, "unknown setting, " + _expected(name, FIELDS))
        for name in given
        if name not in FIELDS
    ]
    for variable in sorted(environ):
        if (
            variable.startswith(ENV_PREFIX)
            and variable not in known
            and variable not in COLLECTOR_SETTINGS
            and not variable.startswith(COLLECTOR_PREFIXES)
            and not variable.startswith(FINDING_PREFIX)
        ):
            expected = _expected(variable, sorted(known))
            problems.append(ConfigError(variable, "unknown setting, " + expected))
    return problems


def _expected(name: str, known: tuple[str, ...] | list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return (
        f"did you mean {close[0]}?" if close else "expected one of " + ", ".join(known)
    )
