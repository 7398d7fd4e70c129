"""Decisions as OpenTelemetry log events: in the journal like all else, and in ``otel_logs``.

Events of scope `SCOPE`; their attributes are what `findings` reads, and whoever asks.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any, Final

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber

from fleetspan_collector._signals import Signal, Submission
from fleetspan_routing.control.decision import Decision, Objection
from fleetspan_routing.control.rules import Answer

SCOPE: Final = "fleetspan.control"
DECISION_EVENT: Final = "fleetspan.control.decision"
MODEL_EVENT: Final = "fleetspan.routing.decision"
OUTPUT_EVENT: Final = "fleetspan.context.reduction"
RECALL_EVENT: Final = "fleetspan.context.recall"
SERVICE: Final = "fleetspan-collector"

_SEVERITIES: Final = {
    Answer.DENY: SeverityNumber.SEVERITY_NUMBER_WARN,
    Answer.APPROVE: SeverityNumber.SEVERITY_NUMBER_WARN,
}


def submission_of(decision: Decision, traceparent: str, now_ns: int) -> Submission:
    """Return the request that keeps a decision.

    Args:
        decision: One that is notable.
        traceparent: W3C context of the client's span; ``""`` when not known.
        now_ns: When it was made, Unix nanoseconds.
    """
    request = ExportLogsServiceRequest()
    resource = request.resource_logs.add()
    resource.resource.attributes.append(_pair("service.name", SERVICE))
    scope = resource.scope_logs.add()
    scope.scope.name = SCOPE
    for name, attributes, text in _events(decision):
        record = scope.log_records.add()
        record.time_unix_nano = now_ns
        record.observed_time_unix_nano = time.time_ns()
        record.event_name = name
        record.severity_number = _SEVERITIES.get(
            decision.answer, SeverityNumber.SEVERITY_NUMBER_INFO
        )
        record.body.string_value = text
        _place(record, traceparent)
        record.attributes.extend(
            _pair(key, value)
            for key, value in {**_about(decision), **attributes}.items()
            if value not in ("", ())
        )
    return Submission(
        signal=Signal.LOGS,
        tenant=decision.tenant,
        payload=request.SerializeToString(),
        rows=len(scope.log_records),
    )


def _events(decision: Decision) -> Iterator[tuple[str, dict[str, Any], str]]:
    if decision.objection is not None:
        said = _of_objection(decision.objection)
        said["fleetspan.control.answer"] = str(decision.answer)
        said["fleetspan.control.approval"] = decision.approval
        yield DECISION_EVENT, said, decision.objection.reason
    for warning in decision.warnings:
        said = _of_objection(warning)
        said["fleetspan.control.answer"] = "warn"
        yield DECISION_EVENT, said, warning.reason
    chosen = decision.chosen
    if chosen is not None:
        said = {
            "fleetspan.routing.asked": chosen.asked,
            "fleetspan.routing.model": chosen.model,
            "fleetspan.routing.propensity": chosen.propensity,
            "fleetspan.routing.applied": chosen.applied,
            "fleetspan.routing.tools": chosen.tools,
            "fleetspan.routing.details": json.dumps(dict(chosen.details)),
        }
        yield MODEL_EVENT, said, chosen.reason
    shortened = decision.shortened
    if shortened is not None:
        said = {
            "fleetspan.context.characters": shortened.characters,
            "fleetspan.context.kept": shortened.kept,
            "fleetspan.context.shapes": shortened.shapes,
            "fleetspan.context.refs": shortened.refs,
            "fleetspan.context.applied": shortened.applied,
        }
        removed = shortened.characters - shortened.kept
        text = f"{removed:,} of {shortened.characters:,} characters were kept back"
        yield OUTPUT_EVENT, said, text
    if decision.read_back:
        said = {"fleetspan.context.ref": decision.read_back}
        yield RECALL_EVENT, said, "What was kept back is read"


def _about(decision: Decision) -> dict[str, Any]:
    return {
        "session.id": decision.session_id,
        "gen_ai.agent.id": decision.agent_id,
        "gen_ai.agent.name": decision.agent_type,
        "gen_ai.tool.name": decision.tool,
        "gen_ai.tool.call.id": decision.call_id,
        "fleetspan.control.hook": decision.event,
        "fleetspan.control.enforced": decision.enforced,
    }


def _of_objection(objection: Objection) -> dict[str, Any]:
    return {
        "fleetspan.control.by": objection.by,
        "fleetspan.control.location": objection.location,
        "fleetspan.control.evidence": objection.evidence,
        "fleetspan.control.details": json.dumps(dict(objection.details)),
    }


def _place(record: LogRecord, traceparent: str) -> None:
    pieces = traceparent.split("-")
    if [len(piece) for piece in pieces] == [2, 32, 16, 2]:
        try:
            record.trace_id = bytes.fromhex(pieces[1])
            record.span_id = bytes.fromhex(pieces[2])
        except ValueError:
            record.ClearField("trace_id")


def _pair(key: str, value: Any) -> KeyValue:
    written = AnyValue()
    match value:
        case bool():
            written.bool_value = value
        case int():
            written.int_value = value
        case float():
            written.double_value = value
        case tuple():
            written.array_value.values.extend(AnyValue(string_value=v) for v in value)
        case _:
            written.string_value = str(value)
    return KeyValue(key=key, value=written)
