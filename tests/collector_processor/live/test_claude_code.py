"""Events of Claude Code, as real sessions sent them, under the keys of the canonical rows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect

from tests.collector_processor.claude_code.captures import deliveries, send
from tests.collector_processor.running import Collector

pytestmark = pytest.mark.integration
_PATIENCE_S = 60.0
_OF_IT = " WHERE RunId != 'the-end'"


def _heard(collector: Collector, *feeds: str) -> Iterator[dict[str, Any]]:
    """Play feeds of a capture; yield the events that were made of them."""
    url = f"ws://{collector.endpoint('web')}/api/v1/live/ws"
    with connect(url, compression=None, proxy=None, max_size=None) as stream:
        stream.recv(_PATIENCE_S)
        send(collector, deliveries("tree", *feeds))
        end = b'{"session_id": "the-end", "hook_event_name": "Stop"}'
        status, _, _ = collector.request(
            *("otlp_http", "POST", "/v1/claude-code/hooks", end),
            content_type="application/json",
        )
        assert status == 200
        while True:
            for event in json.loads(stream.recv(_PATIENCE_S)):
                if event.get("group") == "the-end":
                    return
                yield event


def test_every_feed_names_the_same_things(tmp_path: Path) -> None:
    """Agents, calls and tool calls have the ids that their stored rows have."""
    with Collector(tmp_path / "data") as collector:
        events = list(_heard(collector, "traces", "logs", "hooks", "transcripts"))
        collector.settle()
        agents = {
            row["id"]
            for row in collector.sql("SELECT AgentId AS id FROM agents" + _OF_IT)
        }
        calls = {
            row["id"]
            for row in collector.sql("SELECT CallId AS id FROM llm_calls" + _OF_IT)
        }
        tools = {
            row["id"]
            for row in collector.sql("SELECT ToolCallId AS id FROM tool_calls" + _OF_IT)
        }
        (run,) = collector.sql("SELECT RunId AS id FROM runs" + _OF_IT)

    def ids(thing: str, *kinds: str) -> set[str]:
        return {
            e["thing_id"]
            for e in events
            if e["kind"] in kinds and e.get("thing") == thing
        }

    things = [e for e in events if e.get("thing")]
    for kind in ("span", "start", "log", "hook"):
        assert [e for e in things if e["kind"] == kind], kind
    assert ids("tool", "span") == tools
    assert ids("tool", "log") == tools
    assert ids("tool", "hook") == tools
    assert ids("tool", "start") == tools
    assert ids("llm", "log") == calls
    assert ids("llm", "span") == calls
    assert ids("agent", "start") | {run["id"]} == agents
    known = [e for e in events if e["kind"] in ("span", "start", "log", "hook", "line")]
    assert {e["group"] for e in known} == {run["id"]}
    assert {e["agent_id"] for e in known} <= agents
