"""Findings and run summaries as log records of OpenTelemetry."""

from __future__ import annotations

import importlib.metadata
import json
import os
import socket
import time
from typing import Any, Final

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    set_span_in_context,
)

from fleetspan import _semconv as semconv
from fleetspan_collector.notify._notice import Notice
from fleetspan_collector.processors.finding import Severity

SCOPE_NAME: Final = "fleetspan.notify"
VERSION: Final = importlib.metadata.version("fleetspan")
_SERVICE: Final = "fleetspan-collector"
_MOST_CHARACTERS: Final = 16_000
_SCOPE: Final = InstrumentationScope(SCOPE_NAME, VERSION)
_NUMBERS: Final = {
    Severity.INFO: SeverityNumber.INFO,
    Severity.LOW: SeverityNumber.INFO2,
    Severity.MEDIUM: SeverityNumber.WARN,
    Severity.HIGH: SeverityNumber.ERROR,
    Severity.CRITICAL: SeverityNumber.FATAL,
}
_ABOUT: Final = {
    "service": semconv.SERVICE_NAME,
    "environment": semconv.ENVIRONMENT,
    "project": semconv.PROJECT,
    "user": semconv.USER_ID,
}


def collector_resource() -> Resource:
    """The collector itself: it is what says this of runs."""
    return Resource.create(
        {
            semconv.SERVICE_NAME: _SERVICE,
            "service.version": VERSION,
            semconv.SERVICE_INSTANCE_ID: f"{socket.gethostname()}:{os.getpid()}",
        }
    )


def log_record(notice: Notice, resource: Resource) -> ReadableLogRecord:
    """The event of a finding or a run, in the trace that it is about.

    Its time is when it was found: a rule that looks at the last minutes must see it,
    however long ago that began of which it tells.
    """
    finding = notice.kind == "finding"
    names = semconv.FINDING_ATTRIBUTES if finding else semconv.RUN_ATTRIBUTES
    attributes = {
        names[field]: _value(value)
        for field, value in notice.document.items()
        if field in names and value not in (None, [], {})
    }
    for field, value in notice.about.items():
        if value:
            attributes[_ABOUT[field]] = _value(value)
    severity = notice.severity
    record = LogRecord(
        timestamp=notice.made_ns,
        observed_timestamp=time.time_ns(),
        context=_context(notice),
        severity_text=str(severity).upper(),
        severity_number=_NUMBERS[severity],
        body=_value(notice.document["what"]) if finding else _sentence(notice),
        attributes=attributes,
        event_name=semconv.FINDING if finding else semconv.RUN_SUMMARY,
    )
    return ReadableLogRecord(record, resource, _SCOPE)


def _context(notice: Notice) -> Context:
    trace_id = _hexadecimal(notice.document.get("trace_id"), 32)
    span_ids = notice.document.get("span_ids") or [""]
    span_id = _hexadecimal(span_ids[0], 16)
    span = SpanContext(trace_id, span_id, is_remote=True, trace_flags=TraceFlags(0))
    return set_span_in_context(NonRecordingSpan(span), Context())


def _hexadecimal(text: object, digits: int) -> int:
    """An id as a number; 0, which is none, when it is not one."""
    if not isinstance(text, str) or len(text) != digits:
        return 0
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _sentence(notice: Notice) -> str:
    document = notice.document
    parts = [f"{document['status'] or 'ended'}"]
    if document["wall_s"] is not None:
        parts.append(f"{document['wall_s']:.1f} s")
    if document["cost_usd"] is not None:
        parts.append(f"{document['cost_usd']:.4f} USD")
    name = _value(document["run_name"] or document["run_id"])
    return f"run {name}: {', '.join(parts)}"


def _value(value: Any) -> Any:
    if isinstance(value, dict):
        value = json.dumps(value)
    if isinstance(value, list):
        return [_value(each) for each in value]
    if isinstance(value, str) and len(value) > _MOST_CHARACTERS:
        return f"{value[:_MOST_CHARACTERS]}… (cut, of {len(value)} characters)"
    return value
