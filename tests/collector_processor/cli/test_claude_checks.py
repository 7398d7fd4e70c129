"""What ``doctor`` says of Claude Code's feeds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fleetspan_collector.cli._claude_checks import check_claude_feeds
from tests.collector_processor.claude_code import captures
from tests.collector_processor.running import Collector, command


def row(feed: str, name: str, count: int) -> dict[str, Any]:
    """Return one row of the statement."""
    return {"Feed": feed, "Name": name, "Count": str(count)}


def test_nothing_is_fine() -> None:
    """Who does not use Claude Code has no problem."""
    check = check_claude_feeds([])
    assert (check.status, check.detail) == ("ok", "nothing in 7 days")


def test_what_arrives_is_counted_by_event() -> None:
    """A newer release of the same series is said, and is no problem."""
    check = check_claude_feeds(
        [
            row("hook", "Stop", 2),
            row("hook", "PreToolUse", 14),
            row("line", "readable", 185),
            row("event", "api_request", 17),
            row("version", "2.1.330", 100),
            row("version", "2.1.1001", 1),
        ]
    )
    assert (check.status, check.fix) == ("ok", "")
    assert check.detail == (
        "in 7 days; 16 hooks (PreToolUse 14, Stop 2); 185 transcript lines; "
        "17 log events; client 2.1.330, 2.1.1001 (looked at up to 2.1.330)"
    )


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (row("hook", "", 3), "3 malformed hooks"),
        (row("line", "", 2), "2 unreadable lines"),
        (row("hook", "Brandnew", 1), "unknown hook events: Brandnew"),
        (row("event", "brand_new", 1), "unknown log events: brand_new"),
        (row("version", "3.0.1", 1), "unknown client versions: 3.0.1"),
        (row("version", "next", 1), "unknown client versions: next"),
    ],
)
def test_what_is_not_understood_is_a_warning(given: dict[str, Any], said: str) -> None:
    """It is kept, and there is a way to look at it."""
    check = check_claude_feeds([row("hook", "Stop", 1), given])
    assert check.status == "warn"
    assert check.detail.startswith(f"{said}; in 7 days; ")
    assert "fleetspan sql" in check.fix


@pytest.mark.integration
@pytest.mark.slow
def test_doctor_reads_it_from_a_running_collector(tmp_path: Path) -> None:
    """Malformed hooks, half lines, strange events and versions, among a real session."""
    given = captures.deliveries("crash", "hooks", "transcripts", "logs")
    with Collector(tmp_path / "data") as collector:
        captures.send(collector, given)
        for body in (
            b"no json",
            b'{"hook_event_name":"Stop"}',
            b'{"hook_event_name":"Brandnew","session_id":"s"}',
        ):
            headers = {"content_type": "application/json"}
            status, _, answer = collector.request(
                "otlp_http", "POST", captures.HOOKS_PATH, body, **headers
            )
            assert (status, answer) == (200, b"{}")
        body = b'{"type":"user","version":"9.0.0"}\n{"type":"user","ver'
        status, _, _ = collector.request(
            "otlp_http",
            "POST",
            captures.TRANSCRIPTS_PATH,
            body,
            content_type="application/x-ndjson",
            x_fleetspan_transcript_path="/p/s.jsonl",
            x_fleetspan_transcript_offset="0",
        )
        assert status == 200
        collector.settle()
        done = command("--data", str(tmp_path / "data"), "--json", "doctor")
        checks = {each["name"]: each for each in json.loads(done.stdout)["checks"]}
    found = checks["claude code feeds"]
    assert found["status"] == "warn", found
    assert found["detail"] == (
        "2 malformed hooks, 1 unreadable lines, unknown hook events: Brandnew, "
        "unknown client versions: 9.0.0; in 7 days; 27 hooks (PreToolUse 8, "
        "PostToolUse 4, PostToolBatch 3, SubagentStart 3, unreadable 2, "
        "MessageDisplay 2, Brandnew 1, InstructionsLoaded 1, PostToolUseFailure 1, "
        "SessionStart 1, UserPromptSubmit 1); 86 transcript lines; "
        "57 log events; client 2.1.330, 9.0.0 (looked at up to 2.1.330)"
    )
