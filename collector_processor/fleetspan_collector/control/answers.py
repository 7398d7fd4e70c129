"""Decisions in the words of Claude Code's hooks."""

from __future__ import annotations

from typing import Any

from fleetspan_routing.control.decision import Decision
from fleetspan_routing.control.rules import Answer


def answer_of(decision: Decision) -> dict[str, Any]:
    """Return what the client is told; empty when it is to go on as it would."""
    if not decision.enforced:
        return {}
    match decision.event:
        case "PreToolUse":
            return _before_tool(decision)
        case "PermissionRequest":
            return _permission(decision)
        case "PostToolUse" if decision.shortened is not None:
            said = {
                "hookEventName": "PostToolUse",
                "updatedToolOutput": decision.shortened.output,
            }
            return {"hookSpecificOutput": said}
        case "UserPromptSubmit" if decision.answer is Answer.DENY:
            return {"decision": "block", "reason": _reason(decision)}
    return {}


def _before_tool(decision: Decision) -> dict[str, Any]:
    said: dict[str, Any] = {"hookEventName": "PreToolUse"}
    match decision.answer:
        case Answer.DENY | Answer.APPROVE:
            said["permissionDecision"] = "deny"
        case Answer.ASK | Answer.ALLOW:
            said["permissionDecision"] = str(decision.answer)
    if "permissionDecision" in said:
        said["permissionDecisionReason"] = _reason(decision)
    if decision.input is not None:
        said["updatedInput"] = dict(decision.input)
    return {"hookSpecificOutput": said} if len(said) > 1 else {}


def _permission(decision: Decision) -> dict[str, Any]:
    match decision.answer:
        case Answer.DENY | Answer.APPROVE:
            behaviour = {"behavior": "deny", "message": _reason(decision)}
        case Answer.ALLOW:
            behaviour = {"behavior": "allow"}
        case _:
            # The client is asking its user already.
            return {}
    said = {"hookEventName": "PermissionRequest", "decision": behaviour}
    return {"hookSpecificOutput": said}


def _reason(decision: Decision) -> str:
    reason = decision.objection.reason if decision.objection else ""
    if decision.approval:
        reason += (
            f". A person has to approve it, outside of this session, as {decision.approval}: "
            "tell your user, go on with something else meanwhile, and try again later"
        )
    return reason
