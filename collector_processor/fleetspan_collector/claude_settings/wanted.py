"""What belongs into the client's settings: variables, hooks and a status line.

Facts are of Claude Code 2.1.330, seen in runs of the real client.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import quote, urlsplit

import fleetspan_hook
from fleetspan_hook.send import KEY_VARIABLE

HOOKS_PATH: Final = "/v1/claude-code/hooks"
Content = Literal["none", "full"]
HookForm = Literal["command", "http"]
Handler = dict[str, Any]

# The client waits for these: they are few, and `async` ones that are still running when
# the client exits are killed, which would lose exactly the events that end something.
WAITED_FOR: Final = (
    "Setup",
    "SessionStart",
    "SessionEnd",
    "Stop",
    "StopFailure",
    "SubagentStop",
)
# The client goes on at once; sub-agents' hooks carry the span of the call that began them.
GOES_ON: Final = (
    "SubagentStart",
    "UserPromptSubmit",
    "UserPromptExpansion",
    "PreToolUse",
    "PostToolUse",
    "PostToolUseFailure",
    "PostToolBatch",
    "PermissionRequest",
    "PermissionDenied",
    "Notification",
    "PreCompact",
    "PostCompact",
    "PreModelSwitch",
    "PostModelSwitch",
    "TeammateIdle",
    "TaskCreated",
    "TaskCompleted",
    "Elicitation",
    "ElicitationResult",
    "ConfigChange",
    "InstructionsLoaded",
    "CwdChanged",
    "DirectoryAdded",
)
LEFT_OUT: Final[Mapping[str, str]] = {
    "MessageDisplay": "one per piece of text on the screen, and nothing that the other "
    "events do not tell",
    "WorktreeCreate": "a hook there replaces the client's own `git worktree`, so merely "
    "looking on would break it",
    "WorktreeRemove": "it belongs to a WorktreeCreate hook, for the same reason",
    "FileChanged": "it fires only for files that a hook asked to be watched",
}
# SessionStart and Setup take no HTTP; SessionEnd has 1.5 s for all of its hooks and must
# outlive a dead collector; only a command is given the TRACEPARENT that names the call
# which began a sub-agent: header variables are read from the client's own environment.
COMMAND_ONLY: Final = ("Setup", "SessionStart", "SessionEnd", "SubagentStart")

# With control these ask what to do, or tell of it in order: before the last call's result
# is known nobody can tell a loop from progress.
ASKING: Final = (
    *("PreToolUse", "PermissionRequest", "UserPromptSubmit"),
    *("PostToolUse", "PostToolUseFailure", "SubagentStart", "SubagentStop"),
)

_TELEMETRY: Final[Mapping[str, str]] = {
    "CLAUDE_CODE_ENABLE_TELEMETRY": "1",
    "CLAUDE_CODE_ENHANCED_TELEMETRY_BETA": "1",
    "CLAUDE_CODE_PROPAGATE_TRACEPARENT": "1",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_TRACES_EXPORTER": "otlp",
    # The client has no default of its own for it.
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
}
_CONTENT: Final = (
    "OTEL_LOG_USER_PROMPTS",
    "OTEL_LOG_ASSISTANT_RESPONSES",
    "OTEL_LOG_TOOL_DETAILS",
    "OTEL_LOG_TOOL_CONTENT",
)
_HTTP_TIMEOUT_S: Final = 1
_COMMAND_TIMEOUT_S: Final = 5
_ASKING_TIMEOUT_S: Final = 20
"""Far more than asking takes: a client that is tired of waiting goes on."""
_MARK: Final = "fleetspan_hook"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be in the settings.

    Attributes:
        env: Variables by name.
        hooks: One handler for each event.
        status_line: The status line; ``None`` leaves it alone.
    """

    env: Mapping[str, str]
    hooks: Mapping[str, Handler]
    status_line: Handler | None = None


def wanted(
    endpoint: str,
    *,
    project: str | None = None,
    content: Content = "none",
    form: HookForm = "command",
    status_line: bool = False,
    data: Path | None = None,
    key: str | None = None,
    unreachable: str | None = None,
) -> Wanted:
    """Say what belongs into the settings.

    Args:
        endpoint: Base address of the collector's OTLP/HTTP port.
        project: What the sessions belong to, for grouping.
        content: ``full`` has the client's own telemetry carry prompts and tool content.
        form: ``http`` sends hooks straight to the collector where the client can.
        status_line: Whether a status line belongs there too.
        data: Data directory, when it is not the default one.
        key: What the collector wants to be shown.
        unreachable: Has the collector answer the client's questions, and says what holds
            when it does not: ``allow``, ``ask`` or ``deny``. ``None``: it only looks on.
    """
    env = dict(_TELEMETRY)
    env["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint
    if project is not None:
        env["OTEL_RESOURCE_ATTRIBUTES"] = f"fleetspan.project={quote(project, safe='')}"
    if key is not None:
        env["OTEL_EXPORTER_OTLP_HEADERS"] = (
            f"Authorization=Bearer%20{quote(key, safe='')}"
        )
        env[KEY_VARIABLE] = key
    if content == "full":
        env |= dict.fromkeys(_CONTENT, "1")
    hooks = {
        event: _handler(event, endpoint, form, key) for event in (*WAITED_FOR, *GOES_ON)
    }
    if unreachable is not None:
        hooks |= dict.fromkeys(ASKING, _asking(endpoint, unreachable))
    line: Handler | None = None
    if status_line:
        arguments = ["statusline", *(["--data", str(data)] if data else [])]
        line = {"type": "command", "command": shell_command(arguments)}
    return Wanted(env=env, hooks=hooks, status_line=line)


def _handler(event: str, endpoint: str, form: HookForm, key: str | None) -> Handler:
    if form == "http" and event not in COMMAND_ONLY:
        url = endpoint.rstrip("/") + HOOKS_PATH
        handler: Handler = {"type": "http", "url": url, "timeout": _HTTP_TIMEOUT_S}
        if key is not None:
            # Variables in headers are read from the client's own environment alone.
            handler["headers"] = {"Authorization": f"Bearer {key}"}
        return handler
    command: Handler = {
        "type": "command",
        "command": shell_command(["--endpoint", endpoint]),
        "timeout": _COMMAND_TIMEOUT_S,
    }
    return command if event in WAITED_FOR else command | {"async": True}


def _asking(endpoint: str, unreachable: str) -> Handler:
    arguments = ["ask", "--endpoint", endpoint, "--unreachable", unreachable]
    return {
        "type": "command",
        # An interpreter that has been removed since is a collector that does not answer.
        "command": f"{_script(arguments)} || exit 2"
        if unreachable == "deny"
        else shell_command(arguments),
        "timeout": _ASKING_TIMEOUT_S,
    }


def shell_command(arguments: list[str]) -> str:
    """Write the shell line of our script.

    It ends well and silently even when the interpreter has been removed since.
    """
    return f"{_script(arguments)} 2>/dev/null || :"


def _script(arguments: list[str]) -> str:
    script = Path(fleetspan_hook.__file__).with_name("run.py")
    return shlex.join([sys.executable, "-I", "-S", str(script), *arguments])


def is_ours(handler: object) -> bool:
    """Whether a hook's handler, or a status line, is one of ours, of whatever version."""
    if not isinstance(handler, dict):
        return False
    url, command = handler.get("url"), handler.get("command")
    if isinstance(url, str):
        return urlsplit(url).path.endswith(HOOKS_PATH)
    return isinstance(command, str) and _MARK in command.replace("-", "_")
