"""A snapshot as a hand-off."""

from __future__ import annotations

from typing import Any, Final

from fleetspan_collector.snapshots.handoff import handoff
from fleetspan_collector.snapshots.reading import Snapshot

_COUNTERS: Final = {
    "agents": 3,
    "agents_running": 1,
    "agents_failed": 1,
    "llm_calls": 4,
    "tool_calls": 5,
    "tools_running": 1,
    "errors": 1,
    "input_tokens": 100,
    "cache_read_tokens": 2000,
    "cache_write_tokens": None,
    "output_tokens": 50,
    "cost_usd": 0.125,
}


def _agent(agent_id: str, status: str, **given: Any) -> dict[str, Any]:
    return {
        "agent_id": agent_id,
        "parent_agent_id": "main",
        "name": agent_id,
        "type": "",
        "task": "",
        "status": status,
        "status_now": "abandoned" if status == "running" else "ok",
        "error": "",
        "returned": {},
        "started_at": "2026-11-22T09:52:07.000000Z",
        **given,
    }


def _snapshot(**given: Any) -> Snapshot:
    document = {
        "snapshot_id": "dd08fabe4a3c7d67",
        "run_id": "run-1",
        "run_name": "nightly",
        "session_id": "s-1",
        "trace_id": None,
        "at": "2026-11-22T09:52:15.000000Z",
        "name": "plan",
        "reason": "half way",
        "counters": _COUNTERS,
        "agents": [
            _agent(
                "main",
                "running",
                parent_agent_id=None,
                task="ship it\nby noon",
                returned={"Read": 3, "Bash": 1},
            ),
            _agent("scout", "done", task="look around", returned={"Grep": 2}),
            _agent("writer", "failed", error="out of budget"),
        ],
        "running_tools": [
            {
                "tool_call_id": "t-9",
                "agent_id": "main",
                "tool": "Bash",
                "started_at": "2026-11-22T09:52:14.000000Z",
            }
        ],
        "failures": [
            {
                "tool_call_id": "t-3",
                "agent_id": "writer",
                "tool": "Edit",
                "started_at": "2026-11-22T09:52:11.000000Z",
                "error": "no such file",
            }
        ],
        "todos": [
            {"agent_id": "main", "content": "read", "status": "completed"},
            {"agent_id": "main", "content": "write", "status": "in_progress"},
            {"agent_id": "main", "content": "deploy", "status": "pending"},
        ],
        "transcripts": [
            {
                "agent_id": "main",
                "path": "/p/s-1.jsonl",
                "offset": 20_000,
                "bytes": 606,
                "sha256": "5e94",
                "last_message": "Two helpers `in` parallel.\n# not a title",
            }
        ],
        "messages": [],
        "files": [
            {"path": "a.py", "operation": "modify", "agent_id": "main", "at": "…"}
        ],
        "findings": [
            {
                "severity": "high",
                "detector": "failing_tool",
                "what": "Edit failed 3 of 3 times.",
                "advice": "Check the path first.",
            }
        ],
        "state": {
            "kind": "json",
            "sha256": "ab" * 32,
            "bytes": 1234,
            "chunks": 1,
            "missing_chunks": 0,
            "complete": True,
        },
        **given,
    }
    return Snapshot(tenant="", document=document, chunks=())


def test_a_hand_off_tells_what_was_done_running_and_pending() -> None:
    """Everything that whoever goes on has to know, in this order."""
    assert handoff(_snapshot()) == (
        "# Hand-off: nightly\n"
        "\n"
        "Run `run-1` as it stood at 2026-11-22T09:52:15.000000Z"
        " (snapshot `dd08fabe4a3c7d67`: half way).\n"
        "\n"
        "Until then: 3 agents (1 running, 1 failed), 4 model calls, 5 tool calls"
        " (1 running), 1 error, 2,150 tokens, $0.1250.\n"
        "\n## Task\n\n"
        "> ship it\n"
        "> by noon\n"
        "\n## Done\n\n"
        "- [x] read\n"
        "- main `main` “ship it by noon”, so far: 3 Read, 1 Bash\n"
        "- scout `scout` “look around”: done (2 Grep)\n"
        "- writer `writer`: failed, out of budget\n"
        "\n## Running\n\n"
        "- main `main` “ship it by noon”, since 2026-11-22T09:52:07.000000Z"
        " (by now: abandoned)\n"
        "  - Bash (`t-9`) since 2026-11-22T09:52:14.000000Z\n"
        "- [ ] write (in progress)\n"
        "\n## Pending\n\n"
        "- [ ] deploy\n"
        "\n## What failed last\n\n"
        "- Edit of agent `writer` at 2026-11-22T09:52:11.000000Z: no such file\n"
        "\n## Last messages\n\n"
        "main `main` “ship it by noon”:\n"
        "\n"
        "> Two helpers `in` parallel.\n"
        "> # not a title\n"
        "\n"
        "\n## Findings so far\n\n"
        "- high, failing_tool: Edit failed 3 of 3 times. Check the path first.\n"
        "\n## Files\n\n"
        "- modify `a.py`\n"
        "\n## State\n\n"
        f"- plan: 1,234 bytes (json), SHA-256 `{'ab' * 32}`\n"
        "- `fleetspan snapshot export dd08fabe4a3c7d67` writes it to a file\n"
        "\n## Where to resume\n\n"
        "- session `s-1`\n"
        "- agent `main`: `/p/s-1.jsonl` up to byte 20,606 (last line SHA-256 `5e94`)\n"
    )


def test_what_is_not_known_is_left_out() -> None:
    """No state, no findings, no transcripts: no empty sections."""
    nothing: dict[str, Any] = {
        name: []
        for name in (
            *("agents", "running_tools", "failures", "todos", "transcripts"),
            *("messages", "files", "findings"),
        )
    }
    unknown = _COUNTERS | dict.fromkeys(
        ("input_tokens", "cache_read_tokens", "output_tokens", "cost_usd")
    )
    text = handoff(_snapshot(**nothing, state=None, session_id=None, counters=unknown))
    assert "##" not in text
    assert "unknown tokens, an unknown cost." in text


def test_texts_of_agents_cannot_break_out() -> None:
    """A name or a task cannot end its line, its code span or its quote."""
    agents = [
        _agent("a", "running", parent_agent_id=None, name="x`\n# Task\n- [x] done")
    ]
    lines = handoff(_snapshot(agents=agents)).splitlines()
    assert sum(line.startswith("# ") for line in lines) == 1
    assert "- x' # Task - [x] done `a`, since" in "\n".join(lines)


def test_lists_are_bounded() -> None:
    """A thousand agents are forty lines and how many more there are."""
    agents = [_agent(f"a-{number}", "done") for number in range(1000)]
    text = handoff(_snapshot(agents=agents))
    assert "- … and 960 more lines, in the snapshot itself" in text
    assert len(text.splitlines()) < 200
