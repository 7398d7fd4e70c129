"""One event of the stream."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import orjson

KINDS: Final = ("span", "start", "log", "hook", "line", "finding", "run")
SEVERITIES: Final = ("info", "low", "medium", "high", "critical")
_MOST_TEXT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """An event, ready to be sent: what filters look at, and its JSON.

    Attributes:
        tenant: Whose it is.
        kind: One of `KINDS`.
        severity: Index in `SEVERITIES`.
        group: The trace, or Claude Code's session.
        run_id: The run; ``""`` where it is not known, as the next three.
        session_id: The conversation.
        agent_id: The agent.
        agent: Its name.
        body: The members of its JSON object but its id, without the braces.
    """

    tenant: str
    kind: str
    severity: int
    group: str
    run_id: str
    session_id: str
    agent_id: str
    agent: str
    body: bytes

    @property
    def size_bytes(self) -> int:
        """About what it takes in memory."""
        return len(self.body) + 300


def make_event(
    tenant: str, kind: str, severity: str, at_ns: int, facts: Mapping[str, Any]
) -> Event:
    """Make an event.

    Args:
        tenant: Whose it is.
        kind: One of `KINDS`.
        severity: One of `SEVERITIES`.
        at_ns: When it happened, in Unix nanoseconds.
        facts: More members of it, as the README of this folder names them; what is
            empty becomes null.
    """
    known: dict[str, Any] = {name: _shortened(value) for name, value in facts.items()}
    document = {"kind": kind, "at": rfc3339(at_ns), "severity": severity, **known}
    return Event(
        tenant=tenant,
        kind=kind,
        severity=SEVERITIES.index(severity),
        group=known.get("group") or "",
        run_id=known.get("run_id") or "",
        session_id=known.get("session_id") or "",
        agent_id=known.get("agent_id") or "",
        agent=known.get("agent") or "",
        body=orjson.dumps(document, default=str)[1:-1],
    )


def rfc3339(at_ns: int) -> str | None:
    """Write a time in UTC with nanoseconds; ``None`` for one that no calendar has."""
    seconds, nanoseconds = divmod(at_ns, 1_000_000_000)
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanoseconds:09d}Z"


def _shortened(value: Any) -> Any:
    if isinstance(value, str):
        if len(value) > _MOST_TEXT:
            value = value[:_MOST_TEXT] + "…"
        # Half a surrogate pair is no text that JSON could carry.
        return value.encode("utf-8", "replace").decode() or None
    return value
