"""What applications send of snapshots, as the journal holds it: see ``journal.proto``."""

from __future__ import annotations

from typing import Any, Final

from fleetspan_collector._journal_inputs import KIND, Fields, message_types

_FIELDS: Final[dict[str, Fields]] = {
    "SnapshotRequest": (
        ("request_id", KIND.TYPE_STRING, False),
        ("at_unix_nano", KIND.TYPE_FIXED64, False),
        ("trace_id", KIND.TYPE_STRING, False),
        ("span_id", KIND.TYPE_STRING, False),
        ("run_id", KIND.TYPE_STRING, False),
        ("session_id", KIND.TYPE_STRING, False),
        ("agent_id", KIND.TYPE_STRING, False),
        ("name", KIND.TYPE_STRING, False),
        ("reason", KIND.TYPE_STRING, False),
        ("state_kind", KIND.TYPE_STRING, False),
        ("state_hash", KIND.TYPE_STRING, False),
        ("state_bytes", KIND.TYPE_FIXED64, False),
        ("state_chunks", KIND.TYPE_STRING, True),
    ),
    "SnapshotChunk": (
        ("hash", KIND.TYPE_STRING, False),
        ("body", KIND.TYPE_BYTES, False),
    ),
}
_HASH_CHARS: Final = 64
_HASH_AT: Final = 2  # behind the tag of the first field and its length, one byte each

_TYPES: Final = message_types("snapshot_inputs", _FIELDS)
SnapshotRequest: Final[Any] = _TYPES["SnapshotRequest"]
"""A snapshot that an application asks for; the fields are those of `_FIELDS`."""

SnapshotChunk: Final[Any] = _TYPES["SnapshotChunk"]
"""A piece of state: hash, body."""

TEXTS: Final = tuple(
    name
    for name, kind, repeated in _FIELDS["SnapshotRequest"]
    if kind == KIND.TYPE_STRING and not repeated
)
"""The fields of a request that are one text."""


def hash_of_chunk(payload: memoryview) -> str:
    """Return the hash of a journaled chunk without decoding its body.

    The receiver writes it as the first field, always of the same length.
    """
    return str(payload[_HASH_AT : _HASH_AT + _HASH_CHARS], "ascii")
