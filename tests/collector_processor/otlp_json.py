"""OTLP/JSON as the specification has it, written without the collector's decoder."""

from __future__ import annotations

import base64
import json
import math
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

_IDS: Final = frozenset(("trace_id", "span_id", "parent_span_id"))
_WIDE: Final = frozenset(
    (
        FieldDescriptor.TYPE_INT64,
        FieldDescriptor.TYPE_UINT64,
        FieldDescriptor.TYPE_FIXED64,
        FieldDescriptor.TYPE_SFIXED64,
        FieldDescriptor.TYPE_SINT64,
    )
)


def encode(message: Message) -> bytes:
    """Return an OTLP request as JSON: ids in hex, 64-bit integers as strings."""
    return json.dumps(_object(message)).encode()


def _object(message: Message) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for field, value in message.ListFields():
        if isinstance(value, Message) or not hasattr(value, "append"):
            made[field.json_name] = _value(field, value)
        else:
            made[field.json_name] = [_value(field, each) for each in value]
    return made


def _value(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Message):
        return _object(value)
    if field.name in _IDS:
        return value.hex()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return base64.b64encode(value).decode()
    if field.type in _WIDE:
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
