"""What really happened in a run: from what the provider answered to whom."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

_KINDS = (
    "input_tokens",
    "output_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
)


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the documents of a file that has one a line."""
    return [json.loads(line) for line in path.read_bytes().splitlines()]


def expected(truth: Path, projects: Path) -> dict[str, Any]:
    """Return agents, requests, tool calls and tokens by kind, as the captures have them.

    Who asked is in the headers of each request. The call that began a sub-agent is in
    its own file, which the client writes when it begins.

    Args:
        truth: What the provider wrote down.
        projects: The client's folder of transcripts.
    """
    requests = json_lines(truth)
    agents: dict[str, dict[str, Any]] = {}
    for request in requests:
        if "usage" in request:
            _add(agents, request)
    _describe(agents, projects.glob("*/*/subagents/agent-*.meta.json"))
    listed = [agent | {"tokens": dict(agent["tokens"])} for agent in agents.values()]
    total: Counter[str] = Counter()
    for agent in listed:
        total.update(agent["tokens"])
    refused = [
        {"request_id": f"req_fake_{each['seq']:04d}", "agent_id": _who(each)}
        for each in requests
        if str(each.get("reply", "")).isdigit()
    ]
    return {
        "agents": listed,
        "total": dict(total),
        "failed_requests": len(refused),
        "refused": refused,
    }


def _who(request: dict[str, Any]) -> str:
    headers = request["headers"]
    session_id: str = headers["x-claude-code-session-id"]
    agent_id: str | None = headers.get("x-claude-code-agent-id")
    return agent_id or session_id


def _add(agents: dict[str, dict[str, Any]], request: dict[str, Any]) -> None:
    headers = request["headers"]
    session_id = headers["x-claude-code-session-id"]
    agent_id = headers.get("x-claude-code-agent-id")
    agent = agents.setdefault(
        agent_id or f"main:{session_id}",
        {
            "agent_id": agent_id,
            "session_id": session_id,
            "parent_agent_id": headers.get("x-claude-code-parent-agent-id"),
            "script": request["marker"],
            "requests": [],
            "tool_use_ids": [],
            "tokens": Counter(),
        },
    )
    agent["requests"].append(
        {
            "request_id": request["request_id"],
            "message_id": request["message_id"],
            "kind": request["reply"],
        }
    )
    agent["tool_use_ids"] += [
        [block["id"], block["name"]]
        for block in request["blocks"]
        if block["type"] == "tool_use"
    ]
    usage = request["usage"]
    split = usage["cache_creation"]
    agent["tokens"].update(
        {kind: usage[kind] for kind in _KINDS}
        | {
            "cache_write_5m": split["ephemeral_5m_input_tokens"],
            "cache_write_1h": split["ephemeral_1h_input_tokens"],
        }
    )


def _describe(agents: dict[str, dict[str, Any]], files: Iterable[Path]) -> None:
    for path in files:
        agent_id = path.name.removeprefix("agent-").removesuffix(".meta.json")
        if agent_id in agents:
            meta = json.loads(path.read_bytes())
            agents[agent_id] |= {
                "agent_type": meta["agentType"],
                "spawn_tool_use_id": meta.get("toolUseId"),
                "depth": meta.get("spawnDepth"),
                "description": meta.get("description"),
                "request_shape": meta.get("requestShape"),
            }
