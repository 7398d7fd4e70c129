"""Transcripts as Claude Code writes them, short ones, for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tests.collector_processor.claude_code.captures import FOLDER

SESSION: Final = "aaaaaaaa-0000-4000-8000-000000000001"
FORK: Final = "aaaaaaaa-0000-4000-8000-000000000002"


def capture(name: str) -> Path:
    """Return the ``projects`` folder of a capture."""
    return FOLDER / name / "transcripts"


def line(**given: Any) -> bytes:
    """Return one line, with its end."""
    return json.dumps(given, separators=(",", ":")).encode() + b"\n"


def begun(session: str = SESSION, at_s: int = 0) -> bytes:
    """Return the line with which a session begins to work."""
    return line(
        type="queue-operation",
        operation="enqueue",
        timestamp=at(at_s),
        sessionId=session,
    )


def at(seconds: float) -> str:
    """Return a time of the session, so many seconds after its beginning."""
    return f"2026-11-22T10:{int(seconds) // 60:02d}:{seconds % 60:06.3f}Z"


def reply(number: int, session: str = SESSION, **given: Any) -> bytes:
    """Return a line of a reply: 10 + number tokens in, 100 + number out, cached ones.

    Keys of ``given`` replace those of the line; ``usage``, ``message`` those inside.
    """
    usage = {
        "input_tokens": 10 + number,
        "output_tokens": 100 + number,
        "cache_read_input_tokens": 2000 + number,
        "cache_creation_input_tokens": 300 + number,
        "cache_creation": {
            "ephemeral_5m_input_tokens": 200,
            "ephemeral_1h_input_tokens": 100 + number,
        },
    } | given.pop("usage", {})
    message = {
        "id": f"msg_{number}",
        "role": "assistant",
        "model": "claude-opus-5-5",
        "content": [{"type": "text", "text": "said"}],
        "usage": usage,
    } | given.pop("message", {})
    whole = {
        "type": "assistant",
        "uuid": f"bbbbbbbb-0000-4000-8000-{number:012d}",
        "sessionId": session,
        "timestamp": at(number),
        "cwd": "/srv/project",
        "version": "2.1.330",
        "requestId": f"req_{number}",
        "message": message,
    } | given
    return line(**{name: value for name, value in whole.items() if value is not None})


def write(folder: Path, *lines: bytes, session: str = SESSION) -> Path:
    """Write the transcript of a session into a project of a configuration folder."""
    path = folder / "projects" / "-srv-project" / f"{session}.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(lines))
    return path
