"""The log events by which work in progress, and a crashed agent, are seen."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan

from fleetspan import _semconv as semconv


def emit_start(started: tuple[Any, ...]) -> None:
    """Send the log event that says that something has started."""
    logger, event_name, start_ns, attributes, where, parent = started
    if not where.trace_flags.sampled:
        return
    if parent is not None and parent.is_valid:
        parent_id = format(parent.span_id, "016x")
        attributes = {**attributes, semconv.PARENT_SPAN_ID: parent_id}
    logger.emit(
        LogRecord(
            timestamp=start_ns,
            observed_timestamp=start_ns,
            context=trace.set_span_in_context(NonRecordingSpan(where), Context()),
            severity_number=SeverityNumber.INFO,
            severity_text="INFO",
            attributes=attributes,
            event_name=event_name,
        )
    )
