"""What applications send of snapshots, as the journal holds it: see ``journal.proto``."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

_KIND: Final = descriptor_pb2.FieldDescriptorProto
_FIELDS: Final[dict[str, tuple[tuple[str, int, bool], ...]]] = {
    "SnapshotRequest": (
        ("request_id", _KIND.TYPE_STRING, False),
        ("at_unix_nano", _KIND.TYPE_FIXED64, False),
        ("trace_id", _KIND.TYPE_STRING, False),
        ("span_id", _KIND.TYPE_STRING, False),
        ("run_id", _KIND.TYPE_STRING, False),
        ("session_id", _KIND.TYPE_STRING, False),
        ("agent_id", _KIND.TYPE_STRING, False),
        ("name", _KIND.TYPE_STRING, False),
        ("reason", _KIND.TYPE_STRING, False),
        ("state_kind", _KIND.TYPE_STRING, False),
        ("state_hash", _KIND.TYPE_STRING, False),
        ("state_bytes", _KIND.TYPE_FIXED64, False),
        ("state_chunks", _KIND.TYPE_STRING, True),
    ),
    "SnapshotChunk": (
        ("hash", _KIND.TYPE_STRING, False),
        ("body", _KIND.TYPE_BYTES, False),
    ),
}
_PACKAGE: Final = "fleetspan.journal.v1"
_HASH_CHARS: Final = 64
_HASH_AT: Final = 2  # behind the tag of the first field and its length, one byte each


def _message_types() -> dict[str, Any]:
    """Build the classes; a generated module would need a compiler at every change."""
    file = descriptor_pb2.FileDescriptorProto(
        name="fleetspan/snapshot_inputs.proto", package=_PACKAGE, syntax="proto3"
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
SnapshotRequest: Final[Any] = _TYPES["SnapshotRequest"]
"""A snapshot that an application asks for; the fields are those of `_FIELDS`."""

SnapshotChunk: Final[Any] = _TYPES["SnapshotChunk"]
"""A piece of state: hash, body."""

TEXTS: Final = tuple(
    name
    for name, kind, repeated in _FIELDS["SnapshotRequest"]
    if kind == _KIND.TYPE_STRING and not repeated
)
"""The fields of a request that are one text."""


def hash_of_chunk(payload: memoryview) -> str:
    """Return the hash of a journaled chunk without decoding its body.

    The receiver writes it as the first field, always of the same length.
    """
    return str(payload[_HASH_AT : _HASH_AT + _HASH_CHARS], "ascii")
