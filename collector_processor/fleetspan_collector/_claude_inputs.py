"""Claude Code's two inputs as the journal holds them: see ``store/formats/journal.proto``.

The content stays as the client sent it; what comes as headers is kept beside it.
"""

from __future__ import annotations

from typing import Any, Final

from fleetspan_collector._journal_inputs import KIND, Fields, message_types

_FIELDS: Final[dict[str, Fields]] = {
    "ClaudeHook": (
        ("traceparent", KIND.TYPE_STRING, False),
        ("delivery_id", KIND.TYPE_STRING, False),
        ("event_unix_nano", KIND.TYPE_FIXED64, False),
        ("body", KIND.TYPE_BYTES, False),
        ("shown", KIND.TYPE_BYTES, False),
    ),
    "TranscriptLines": (
        ("path", KIND.TYPE_STRING, False),
        ("session_id", KIND.TYPE_STRING, False),
        ("agent_id", KIND.TYPE_STRING, False),
        ("offsets", KIND.TYPE_FIXED64, True),
        ("lines", KIND.TYPE_BYTES, False),
        ("shown", KIND.TYPE_BYTES, False),
    ),
}

_TYPES: Final = message_types("claude_inputs", _FIELDS)
ClaudeHook: Final[Any] = _TYPES["ClaudeHook"]
"""One hook: traceparent, delivery_id, event_unix_nano, body, shown."""

TranscriptLines: Final[Any] = _TYPES["TranscriptLines"]
"""Consecutive lines: path, session_id, agent_id, offsets, lines, shown."""
