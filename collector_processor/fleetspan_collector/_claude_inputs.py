"""Claude Code's two inputs as the journal holds them: see ``store/formats/journal.proto``.

The content stays as the client sent it; what comes as headers is kept beside it.
"""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_KIND: Final = descriptor_pb2.FieldDescriptorProto
_FIELDS: Final[dict[str, tuple[tuple[str, int, bool], ...]]] = {
    "ClaudeHook": (
        ("traceparent", _KIND.TYPE_STRING, False),
        ("delivery_id", _KIND.TYPE_STRING, False),
        ("event_unix_nano", _KIND.TYPE_FIXED64, False),
        ("body", _KIND.TYPE_BYTES, False),
        ("shown", _KIND.TYPE_BYTES, False),
    ),
    "TranscriptLines": (
        ("path", _KIND.TYPE_STRING, False),
        ("session_id", _KIND.TYPE_STRING, False),
        ("agent_id", _KIND.TYPE_STRING, False),
        ("offsets", _KIND.TYPE_FIXED64, True),
        ("lines", _KIND.TYPE_BYTES, False),
        ("shown", _KIND.TYPE_BYTES, False),
    ),
}
_PACKAGE: Final = "fleetspan.journal.v1"


def _message_types() -> dict[str, Any]:
    """Build the classes; a generated module would need a compiler at every change."""
    file = descriptor_pb2.FileDescriptorProto(
        name="fleetspan/claude_inputs.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for number, (field, kind, repeated) in enumerate(fields, start=1):
            label = _KIND.LABEL_REPEATED if repeated else _KIND.LABEL_OPTIONAL
            message.field.add(name=field, number=number, type=kind, label=label)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")
        )
        for name in _FIELDS
    }


_TYPES: Final = _message_types()
ClaudeHook: Final[Any] = _TYPES["ClaudeHook"]
"""One hook: traceparent, delivery_id, event_unix_nano, body, shown."""

TranscriptLines: Final[Any] = _TYPES["TranscriptLines"]
"""Consecutive lines: path, session_id, agent_id, offsets, lines, shown."""
