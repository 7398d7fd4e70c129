"""Events of Claude Code's own feeds, under the keys that derivation gives things."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from fleetspan_collector._claude_inputs import ClaudeHook, TranscriptLines
from fleetspan_collector.live.event import Event, make_event

SPANS_SCOPE: Final = "com.anthropic.claude_code.tracing"
EVENTS_SCOPE: Final = "com.anthropic.claude_code.events"
_MAIN: Final = "Claude Code"
_TOKENS: Final = (
    *("input_tokens", "cache_read_tokens", "cache_creation_tokens", "output_tokens"),
)
_MOST_LINES: Final = 200
"""Of one request; an import of old transcripts is no news."""


def claude_span_facts(name: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return what a span of the client says, as `live.spans` names it."""
    session = attributes.get("session.id", "")
    agent = attributes.get("agent_id") or session
    facts: dict[str, Any] = {
        "group": session,
        "run_id": session,
        "session_id": session,
        "agent_id": agent,
        "agent": _MAIN if agent == session else None,
        "thing": "span",
        "error": attributes.get("error.type") or attributes.get("error"),
    }
    if attributes.get("success") == "false":
        facts["error"] = facts["error"] or "error"
    match name:
        case "claude_code.llm_request":
            facts |= {
                "thing": "llm",
                "thing_id": attributes.get("request_id"),
                "name": attributes.get("model"),
                "model": attributes.get("model"),
                "tokens": _sum(attributes),
            }
        case "claude_code.tool":
            facts |= {
                "thing": "tool",
                "thing_id": attributes.get("tool_use_id"),
                "name": attributes.get("tool_name"),
            }
        case "claude_code.interaction":
            facts |= {"thing": "agent", "thing_id": session, "name": _MAIN}
    return facts


def claude_log_facts(name: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    """Return what a log event of the client says."""
    session = attributes["session.id"]
    agent = attributes.get("agent_id") or session
    facts: dict[str, Any] = {
        "group": session,
        "run_id": session,
        "session_id": session,
        "agent_id": agent,
        "agent": _MAIN if agent == session else attributes.get("agent.name"),
        "error": _error(name, attributes),
        "text": attributes.get("tool_name") or attributes.get("model"),
    }
    if name in ("api_request", "api_error"):
        facts |= {
            "thing": "llm",
            "thing_id": attributes.get("request_id"),
            "model": attributes.get("model"),
            "tokens": _sum(attributes),
            "cost_usd": _number(attributes.get("cost_usd")),
        }
    elif attributes.get("tool_use_id"):
        facts |= {"thing": "tool", "thing_id": attributes["tool_use_id"]}
    return facts


def _error(name: str, attributes: Mapping[str, str]) -> str | None:
    """What derivation calls the error of an event."""
    if name == "api_error":
        code = attributes.get("status_code")
        known = code if code not in ("", "undefined") else None
        return known or attributes.get("error") or "error"
    if name == "tool_decision" and attributes.get("decision") == "reject":
        return "permission_denied"
    if name == "tool_result" and attributes.get("success") == "false":
        return attributes.get("error_type") or "error"
    return None


def hook(tenant: str, payload: bytes, received_ns: int) -> Iterator[Event]:
    """Yield the event of a hook; none when it is no JSON object."""
    kept = ClaudeHook.FromString(payload)
    body = _object(kept.body)
    if body is None:
        return
    session = _word(body.get("session_id"))
    agent = _word(body.get("agent_id")) or session
    name = _word(body.get("hook_event_name"))
    tool = _word(body.get("tool_name"))
    facts: dict[str, Any] = {
        "group": session,
        "run_id": session,
        "session_id": session,
        "agent_id": agent,
        "agent": _MAIN if agent == session else _word(body.get("agent_type")),
        "name": name,
        "text": tool or _word(body.get("prompt")) or _word(body.get("message")),
    }
    if key := _word(body.get("tool_use_id")):
        facts |= {"thing": "tool", "thing_id": key}
    at_ns = kept.event_unix_nano or received_ns
    start = _start(name, body, at_ns, facts)
    if start is not None:
        yield make_event(tenant, "start", "info", at_ns, start)
    failed = name.endswith("Failure") or name == "PermissionDenied"
    yield make_event(tenant, "hook", "medium" if failed else "info", at_ns, facts)


def _start(
    name: str, body: Mapping[str, Any], at_ns: int, facts: Mapping[str, Any]
) -> dict[str, Any] | None:
    """What has begun, when the hook says so."""
    begun = {
        "SubagentStart": ("agent", "agent_id", "agent_type"),
        "PreToolUse": ("tool", "tool_use_id", "tool_name"),
    }.get(name)
    if begun is None:
        return None
    thing, key, called = begun
    return {
        **facts,
        "thing": thing,
        "thing_id": _word(body.get(key)),
        "name": _word(body.get(called)),
        "start_ns": str(at_ns),
        "end_ns": None,
        "status": "running",
        "text": None,
    }


def lines(tenant: str, payload: bytes, received_ns: int) -> Iterator[Event]:
    """Yield an event for each line of a transcript that says something."""
    kept = TranscriptLines.FromString(payload)
    for line in kept.lines.splitlines()[:_MOST_LINES]:
        body = _object(line)
        if body is None:
            continue
        session = _word(body.get("sessionId")) or kept.session_id
        agent = _word(body.get("agentId")) or kept.agent_id or session
        message = body.get("message")
        model = message.get("model") if isinstance(message, dict) else None
        yield make_event(
            tenant,
            "line",
            "info",
            received_ns,
            {
                "group": session,
                "run_id": session,
                "session_id": session,
                "agent_id": agent,
                "agent": _MAIN if agent == session else None,
                "name": _word(body.get("type")),
                "model": _word(model),
                "text": _word(body.get("subtype")),
            },
        )


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return document if isinstance(document, dict) else None


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""


def _sum(attributes: Mapping[str, str]) -> int | None:
    numbers = [_number(attributes.get(name)) for name in _TOKENS]
    known = [number for number in numbers if number is not None]
    return int(sum(known)) if known else None


def _number(text: str | None) -> float | None:
    try:
        return None if not text else float(text)
    except ValueError:
        return None
