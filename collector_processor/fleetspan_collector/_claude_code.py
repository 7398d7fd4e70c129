"""What is known of Claude Code, the client."""

from __future__ import annotations

from typing import Final

HOOK_EVENTS: Final = frozenset(
    (
        "PreToolUse",
        "PostToolUse",
        "PostToolUseFailure",
        "PostToolBatch",
        "Notification",
        "UserPromptSubmit",
        "UserPromptExpansion",
        "SessionStart",
        "SessionEnd",
        "Stop",
        "StopFailure",
        "SubagentStart",
        "SubagentStop",
        "PreCompact",
        "PostCompact",
        "PreModelSwitch",
        "PostModelSwitch",
        "PermissionRequest",
        "PermissionDenied",
        "Setup",
        "TeammateIdle",
        "TaskCreated",
        "TaskCompleted",
        "Elicitation",
        "ElicitationResult",
        "ConfigChange",
        "WorktreeCreate",
        "WorktreeRemove",
        "InstructionsLoaded",
        "CwdChanged",
        "FileChanged",
        "DirectoryAdded",
        "MessageDisplay",
    )
)
"""The events of its hooks, in version 2.1.330 (``HOOK_EVENTS`` of its Agent SDK's types)."""

LOG_EVENTS: Final = frozenset(
    (
        "user_prompt",
        "assistant_response",
        "api_request",
        "api_error",
        "api_retries_exhausted",
        "tool_decision",
        "tool_result",
        "subagent_completed",
        "compaction",
        "hook_registered",
        "hook_execution_start",
        "hook_execution_complete",
        "plugin_loaded",
        "retention_sweep",
        "managed_settings_resolved",
        "api_refusal",
        "api_request_body",
        "api_response_body",
        "permission_mode_changed",
        "auth",
        "mcp_server_connection",
        "internal_error",
        "plugin_installed",
        "skill_activated",
        "at_mention",
        "hook_plugin_metrics",
        "feedback_survey",
    )
)
"""Its log events: seen in version 2.1.330, or named in its documentation."""

NEWEST_CLIENT: Final = (2, 1, 330)
"""The newest version whose feeds have been looked at."""
