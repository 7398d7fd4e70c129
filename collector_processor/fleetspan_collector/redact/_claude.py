"""The content policy, on Claude Code's hooks and lines of transcripts.

What is not known to be harmless counts as content, so that fields of clients to come are
not let through: numbers, switches and the texts that are named here stay.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from ._content import Content

_HOOK: Final = frozenset(
    {
        *("session_id", "transcript_path", "cwd", "hook_event_name", "prompt_id"),
        *("permission_mode", "agent_id", "agent_type", "agent_transcript_path"),
        *("tool_name", "tool_use_id", "source", "reason", "model", "trigger"),
        *("mcp_server", "mcp_server_name", "notification_type", "expansion_type"),
        *("command_name", "command_source", "file_path", "memory_type", "load_reason"),
        *("turn_id", "message_id", "from_model", "to_model", "requested_model"),
        *("cache_ttl", "task_id", "teammate_name", "parent_agent_id", "request_id"),
        *("decision", "permission_decision", "worktree_path", "old_cwd", "new_cwd"),
    }
)
_TOOL_INPUT: Final = frozenset({"subagent_type", "description", "run_in_background"})
_TOOL_RESULT: Final = frozenset(
    {
        *("agentId", "agentType", "status", "isAsync", "resolvedModel", "type"),
        *("totalDurationMs", "totalTokens", "totalToolUseCount", "usage", "toolStats"),
        *("interrupted", "isImage", "is_error", "noOutputExpected", "canContinueAgent"),
        *("canReadOutputFile", "durationMs", "numFiles", "userModified", "code"),
        "harnessSectionHash",
    }
)
_BLOCK: Final = frozenset({"type", "id", "name", "tool_use_id", "is_error"})
_TASK: Final = frozenset({"id", "status", "type", "agent_id", "tool_use_id", "task_id"})
_MESSAGE: Final = frozenset(
    {"id", "type", "role", "model", "stop_reason", "stop_sequence", "usage"}
)
_LINE: Final = frozenset(
    {
        *("type", "subtype", "uuid", "parentUuid", "logicalParentUuid", "leafUuid"),
        *("sessionId", "requestSessionId", "requestId", "requestRef", "timestamp"),
        *("version", "cwd", "gitBranch", "userType", "entrypoint", "agentId"),
        *("promptId", "promptSource", "permissionMode", "permissionDecision", "level"),
        *("requestedModel", "effort", "perTurnEffort", "madeBy", "slug", "operation"),
        *("sourceToolAssistantUUID", "toolUseID", "toolUseId", "turnOrigin", "mode"),
        *("id", "querySource", "shapeHash", "hash", "requestDigest", "base", "model"),
        *("agentType", "description", "parentAgentId", "requestShape", "stopReason"),
        *("attributionAgent", "renderedRole", "thinkingDisplay", "atis", "origin"),
        *("name", "status", "messageId", "snapshotId"),
    }
)
_PLAIN_OBJECTS: Final = frozenset(
    {"usage", "toolStats", "modelUsage", "effort", "pricing", "perTurnEffort"}
)
_DEEPEST: Final = 8
_SHORT_TEXT: Final = 64  # of a label inside an object of numbers


class ClaudeContent:
    """Takes content out of hooks and lines.

    Args:
        content: The policy, and what stands for content.
    """

    def __init__(self, content: Content) -> None:
        self._content = content

    def hook(self, body: bytes) -> bytes:
        """Return a hook's JSON without content; ``{}`` for what is no JSON object."""
        hook = self._object(body)
        if not isinstance(hook, dict):
            return self._unreadable(body)
        made: dict[str, Any] = {}
        for name, value in hook.items():
            if name == "tool_input":
                made[name] = self._inside(value, _TOOL_INPUT)
            elif name == "tool_response":
                made[name] = self._inside(value, _TOOL_RESULT)
            elif name == "tool_calls" and isinstance(value, list):
                made[name] = [self._called(each) for each in value]
            elif name in ("background_tasks", "session_crons"):
                made[name] = self._each(value, _TASK)
            else:
                self._put(made, name, value, _HOOK)
        return _dump(made)

    def line(self, body: bytes) -> bytes:
        """Return a line of a transcript without content, on one line."""
        line = self._object(body)
        if not isinstance(line, dict):
            return self._unreadable(body)
        made: dict[str, Any] = {}
        for name, value in line.items():
            if name == "message" and isinstance(value, dict):
                made[name] = self._message(value)
            elif name == "toolUseResult":
                made[name] = self._inside(value, _TOOL_RESULT)
            elif name == "compactMetadata":
                made[name] = self._inside(value, frozenset({"trigger"}))
            elif name == "attachment":
                made[name] = self._inside(value, frozenset({"type", "toolUseID"}))
            else:
                self._put(made, name, value, _LINE)
        return _dump(made)

    def _object(self, body: bytes) -> Any:
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:
            return None

    def _unreadable(self, body: bytes) -> bytes:
        marker = self._content.marker(body)
        return b"{}" if self._content.removes else _dump(marker)

    def _message(self, message: dict[str, Any]) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for name, value in message.items():
            if name == "content" and isinstance(value, list):
                made[name] = self._each(value, _BLOCK)
            else:
                self._put(made, name, value, _MESSAGE)
        return made

    def _called(self, call: Any) -> Any:
        """Return one call of a batch: its name and id, like a hook of its own."""
        if not isinstance(call, dict):
            return {}
        made: dict[str, Any] = {}
        for name, value in call.items():
            if name in ("tool_input", "input"):
                made[name] = self._inside(value, _TOOL_INPUT)
            elif name in ("tool_response", "response"):
                made[name] = self._inside(value, _TOOL_RESULT)
            else:
                self._put(made, name, value, frozenset({"tool_name", *_TASK, "name"}))
        return made

    def _each(self, values: Any, kept: frozenset[str]) -> Any:
        if not isinstance(values, list):
            return self._inside(values, kept)
        return [self._inside(each, kept) for each in values]

    def _inside(self, value: Any, kept: frozenset[str]) -> Any:
        """Return an object with what is kept of it; of anything else nothing."""
        if not isinstance(value, dict):
            return self._whole(value)
        made: dict[str, Any] = {}
        for name, each in value.items():
            if name in kept:
                self._put(made, name, each, kept)
            elif not self._content.removes:
                made[name] = self._whole(each)
            else:
                self._whole(each)
        return made

    def _put(
        self, made: dict[str, Any], name: str, value: Any, kept: frozenset[str]
    ) -> None:
        if value is None or isinstance(value, bool | int | float):
            made[name] = value
        elif isinstance(value, str):
            if name in kept:
                made[name] = value
            else:
                instead = self._content.instead(value)
                if instead:
                    made[name] = instead
        elif name in _PLAIN_OBJECTS:
            made[name] = _labels_and_numbers(value)
        elif not self._content.removes:
            made[name] = self._whole(value)
        else:
            self._whole(value)

    def _whole(self, value: Any) -> Any:
        text = value if isinstance(value, str) else _dump(value)
        marker = self._content.marker(text)
        return "" if self._content.removes else marker


def _labels_and_numbers(value: Any, depth: int = 0) -> Any:
    """Return an object of counts without its long texts, and what is nested deep."""
    if depth > _DEEPEST:
        return None
    if isinstance(value, dict):
        return {name: _labels_and_numbers(v, depth + 1) for name, v in value.items()}
    if isinstance(value, list):
        return [_labels_and_numbers(each, depth + 1) for each in value]
    if isinstance(value, str) and len(value) > _SHORT_TEXT:
        return ""
    return value


def _dump(value: Any) -> bytes:
    return orjson.dumps(value)
