"""Runs to read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest

from fleetspan_collector.store.rows import AgentRow, RunDetail
from tests.collector_processor.server_store import close_below

USAGE: dict[str, Any] = {
    "llm_calls": 2,
    "tool_calls": 1,
    "errors": 0,
    "input_tokens": 1200,
    "cache_read_tokens": 30,
    "cache_write_tokens": 20,
    "cache_write_5m_tokens": 15,
    "cache_write_1h_tokens": 5,
    "output_tokens": 250,
    "reasoning_tokens": 50,
    "cost_usd": 0.5,
    "reported_cost_usd": None,
    "unpriced_calls": 0,
}


def make_agent(agent_id: str, **changes: Any) -> AgentRow:
    """Return an agent of run ``aaa111``, with some fields changed."""
    row: dict[str, Any] = {
        **USAGE,
        "run_id": "aaa111",
        "session_id": "s1",
        "name": agent_id,
        "status": "ok",
        "started_at": "2026-01-02T03:04:05.000000Z",
        "duration_s": 10.0,
        "agent_id": agent_id,
        "type": None,
        "parent": None,
        "spawn_tool_call_id": None,
        "agents": 1,
        "failed_tools": [],
        "cost_difference_usd": None,
        **changes,
    }
    return cast("AgentRow", row)


def make_run(run_id: str, agents: list[AgentRow], **changes: Any) -> RunDetail:
    """Return a run of ten seconds, with some fields changed."""
    row: dict[str, Any] = {
        **USAGE,
        "run_id": run_id,
        "session_id": "s1",
        "name": "research",
        "status": "ok",
        "started_at": "2026-01-02T03:04:05.000000Z",
        "duration_s": 10.0,
        "agents": agents,
        "cost_difference_usd": None,
        **changes,
    }
    return cast("RunDetail", row)


@pytest.fixture(autouse=True)
def servers_end_with_their_test(tmp_path: Path) -> Iterator[None]:
    """With ``FLEETSPAN_TEST_STORE=server``: a test's own servers do not outlive it."""
    yield
    close_below(tmp_path)


@pytest.fixture
def fleet() -> list[RunDetail]:
    """Three runs; two ids begin alike, and the first has a tree of three agents."""
    agents = [
        make_agent("lead", agents=3),
        make_agent(
            "scout",
            parent="lead",
            type="Explore",
            spawn_tool_call_id="call-1",
            started_at="2026-01-02T03:04:06.000000Z",
            duration_s=4.0,
        ),
        make_agent(
            "writer",
            parent="lead",
            status="error",
            errors=2,
            failed_tools=["Bash"],
            started_at="2026-01-02T03:04:10.000000Z",
            duration_s=5.0,
            cost_usd=None,
            unpriced_calls=2,
        ),
    ]
    later = "2026-01-03T00:00:00.000000Z"
    return [
        make_run("aaa111", agents, errors=2, unpriced_calls=2),
        make_run("aaa222", [make_agent("solo")], status="running", started_at=later),
        make_run(
            "bbb333", [make_agent("old")], started_at="2025-12-31T00:00:00.000000Z"
        ),
    ]
