r"""For your own tests: what was recorded, with the same ids and times on every run.

::

    from fleetspan.testing import capture

    def test_the_planner_asks_once():
        with capture() as recorded:
            plan()
        assert recorded.tree() == "invoke_agent planner\n  chat gpt-5"
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final, Unpack

from opentelemetry.context import Context, attach, get_current
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import (
    InMemoryLogRecordExporter,
    SimpleLogRecordProcessor,
)
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanContext

from fleetspan import _runtime, _scope, _subscribers
from fleetspan._config import Settings, load
from fleetspan._outbox import Snapshot
from fleetspan._processors import guarded_span_processors
from fleetspan._providers import Providers
from fleetspan._subscribers import Notice

__all__ = ["Recorded", "capture"]

# 2026-01-01T00:00:00Z; every look at the clock is one second later.
START_NS: Final = 1_767_225_600_000_000_000
STEP_NS: Final = 1_000_000_000


class _CountedIds(IdGenerator):
    def __init__(self) -> None:
        self._spans = 0
        self._traces = 0

    def generate_span_id(self) -> int:
        self._spans += 1
        return self._spans

    def generate_trace_id(self) -> int:
        self._traces += 1
        return self._traces

    def is_trace_id_random(self) -> bool:
        return False


class _SteppingClock:
    def __init__(self) -> None:
        self._now = START_NS - STEP_NS

    def __call__(self) -> int:
        self._now += STEP_NS
        return self._now


class _KeptSnapshots:
    """Keeps snapshots in memory."""

    def __init__(self) -> None:
        self.kept: list[Snapshot] = []

    def put(self, snapshot: Snapshot, wait_s: float) -> None:
        """Keep one."""
        self.kept.append(snapshot)

    def flush(self, timeout_s: float) -> bool:
        """Nothing ever waits."""
        return True

    def close(self) -> None:
        """Do nothing."""


class Recorded:
    """What was recorded inside `capture`.

    Attributes:
        notices: What subscribers were told, in order.
    """

    def __init__(
        self,
        spans: InMemorySpanExporter,
        logs: InMemoryLogRecordExporter,
        metrics: InMemoryMetricReader,
        snapshots: _KeptSnapshots,
    ) -> None:
        self._spans = spans
        self._logs = logs
        self._metrics = metrics
        self._snapshots = snapshots
        self.notices: list[Notice] = []

    def spans(self) -> list[dict[str, Any]]:
        """Return the finished spans, in the order in which they started.

        Returns:
            Plain dictionaries: ``name``, ``kind``, ``trace_id``, ``span_id``,
            ``parent_id`` (None at the root), ``start_s`` and ``end_s`` (seconds since the
            block began), ``status`` (``unset``, ``ok`` or ``error``),
            ``status_description``, ``attributes``, and ``events``, each with ``name``,
            ``time_s`` and ``attributes``.
        """
        finished = self._spans.get_finished_spans()
        return [_literal(span) for span in sorted(finished, key=_by_start)]

    def start_events(self) -> list[dict[str, Any]]:
        """Return the start events: ``event``, ``trace_id``, ``span_id``, ``attributes``."""
        return [
            {
                "event": data.log_record.event_name,
                "trace_id": format(data.log_record.trace_id or 0, "032x"),
                "span_id": format(data.log_record.span_id or 0, "016x"),
                "attributes": dict(data.log_record.attributes or {}),
            }
            for data in self._logs.get_finished_logs()
        ]

    def snapshots(self) -> list[dict[str, Any]]:
        """Return the snapshots.

        Returns:
            Plain dictionaries: ``id``, ``name``, ``reason``, ``run_id``, ``agent_id``,
            ``kind`` (``bytes``, ``text``, ``json`` or ``""``) and ``state`` (bytes or None).
        """
        return [
            {
                "id": each.fields["request_id"],
                "name": each.fields["name"],
                "reason": each.fields["reason"],
                "run_id": each.fields["run_id"],
                "agent_id": each.fields["agent_id"],
                "kind": each.fields["state_kind"],
                "state": each.state,
            }
            for each in self._snapshots.kept
        ]

    def metrics(self) -> dict[str, list[dict[str, Any]]]:
        """Return what the metrics hold.

        Returns:
            By name of the metric, its points: ``attributes`` and ``value`` (of a
            histogram: the sum), and for a histogram ``count`` and ``buckets`` (bounds).
        """
        data = self._metrics.get_metrics_data()
        found: dict[str, list[dict[str, Any]]] = {}
        for resource in data.resource_metrics if data is not None else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    found[metric.name] = [
                        _point(each) for each in metric.data.data_points
                    ]
        return found

    def tree(self) -> str:
        """Return the names of the spans, one a line, children indented by two blanks."""
        spans = self.spans()
        known = {span["span_id"] for span in spans}
        lines: list[str] = []

        def add(parent: str | None, depth: int) -> None:
            for span in spans:
                above = span["parent_id"] if span["parent_id"] in known else None
                if above == parent:
                    lines.append("  " * depth + span["name"])
                    add(span["span_id"], depth + 1)

        add(None, 0)
        return "\n".join(lines)


@contextmanager
def capture(**settings: Unpack[Settings]) -> Generator[Recorded]:
    """Record, within the block, into memory, and send nothing.

    Ids count from 1 and every look at the clock is one second later, so that a test can
    compare whole spans with literals. Everything is recorded at once, on the calling
    thread. Nothing outside the block, OpenTelemetry's global providers and the
    environment's ``FLEETSPAN_*`` and ``OTEL_*`` included, is used or changed.

    Args:
        settings: Fields of `Config`.

    Yields:
        What was recorded.

    Raises:
        ConfigError: When a setting is unknown or bad.
    """
    config, problems = load(dict(settings), {})
    if problems:
        raise problems[0]
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]
    reader = InMemoryMetricReader()
    nowhere = Resource({"service.name": "test"})
    tracer = TracerProvider(
        resource=nowhere,
        shutdown_on_exit=False,
        id_generator=_CountedIds(),
        active_span_processor=guarded_span_processors(),
    )
    tracer.add_span_processor(SimpleSpanProcessor(spans))
    logger = LoggerProvider(resource=nowhere, shutdown_on_exit=False)
    logger.add_log_record_processor(SimpleLogRecordProcessor(logs))
    meter = MeterProvider([reader], resource=nowhere, shutdown_on_exit=False)
    providers = Providers(tracer=tracer, logger=logger, meter=meter)
    snapshots = _KeptSnapshots()
    recorded = Recorded(spans, logs, reader, snapshots)
    runtime = _runtime.Runtime(
        config, providers, clock=_SteppingClock(), deferred=False, outbox=snapshots
    )
    before = _runtime.replace(runtime)
    inbound_before = _scope.replace_inbound(Context())
    context_before = get_current()
    attach(Context())
    try:
        with _subscribers.subscribe(recorded.notices.append):
            yield recorded
    finally:
        attach(context_before)
        _scope.replace_inbound(inbound_before)
        _runtime.replace(before)
        meter.shutdown()


def _by_start(span: ReadableSpan) -> tuple[int, int]:
    where = span.get_span_context()
    return span.start_time or 0, where.span_id if where else 0


def _literal(span: ReadableSpan) -> dict[str, Any]:
    where = span.get_span_context() or SpanContext(0, 0, is_remote=False)
    return {
        "name": span.name,
        "kind": span.kind.name.lower(),
        "trace_id": format(where.trace_id, "032x"),
        "span_id": format(where.span_id, "016x"),
        "parent_id": format(span.parent.span_id, "016x") if span.parent else None,
        "start_s": ((span.start_time or START_NS) - START_NS) / 1e9,
        "end_s": ((span.end_time or START_NS) - START_NS) / 1e9,
        "status": span.status.status_code.name.lower(),
        "status_description": span.status.description,
        "attributes": _plain(span.attributes or {}),
        "events": [
            {
                "name": event.name,
                "time_s": (event.timestamp - START_NS) / 1e9,
                "attributes": _plain(event.attributes or {}),
            }
            for event in span.events
        ],
    }


def _plain(attributes: Any) -> dict[str, Any]:
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in attributes.items()
    }


def _point(point: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"attributes": dict(point.attributes or {})}
    if hasattr(point, "bucket_counts"):
        found["count"] = point.count
        found["buckets"] = list(point.explicit_bounds)
        found["value"] = point.sum
    else:
        found["value"] = point.value
    return found
