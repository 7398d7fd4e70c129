"""The hook and the status line beside a real collector."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from fleetspan_hook.send import flush
from tests.collector_processor.claude_code.client.hooks import (
    HOOK,
    free_port,
    run_hook,
    spool_at,
)
from tests.collector_processor.running import Collector, poll

pytestmark = pytest.mark.integration

SESSION = "5e55105e-0000-4000-8000-000000000001"
PARENT = "00-bd46b1782b3bd3392aa74cc3e01a3864-23cc95f2e9cb0354-01"
PORTS = ("--grpc=off", "--web=127.0.0.1:0", "--clickhouse=off", "--jaeger=off")


def hook(event: str, **fields: str) -> bytes:
    """Return the JSON of a hook."""
    known = {"session_id": SESSION, "cwd": "/x", "hook_event_name": event}
    return json.dumps(known | fields).encode()


def status_line(data: Path, payload: dict[str, object]) -> str:
    """Return what the status line shows."""
    done = subprocess.run(
        [*HOOK, "statusline", "--data", str(data)],
        input=json.dumps(payload).encode(),
        capture_output=True,
        check=True,
        timeout=30,
        env={"FLEETSPAN_SPOOL": str(data.parent / "spool")},
    )
    assert done.stderr == b""
    return done.stdout.decode()


def test_hooks_arrive_from_before_the_start_too_and_the_status_line_knows(
    tmp_path: Path,
) -> None:
    """Kept while no collector ran, sent when one starts; each stands once."""
    data, spool = tmp_path / "data", tmp_path / "spool"
    endpoint = f"http://127.0.0.1:{(port := free_port())}"
    payload: dict[str, object] = {
        "session_id": SESSION,
        "cost": {"total_cost_usd": 1.234},
        "context_window": {"used_percentage": 37.4},
    }
    run_hook(spool, endpoint, hook("SessionStart", source="startup"))
    run_hook(
        spool,
        endpoint,
        hook("SubagentStart", agent_id="a1", agent_type="Explore"),
        TRACEPARENT=PARENT,
    )
    waiting = spool_at(spool, endpoint)
    kept = [waiting.take(name) for name in waiting.names()]
    assert [each.time_ns for each in kept if each] == sorted(
        each.time_ns for each in kept if each
    )
    assert status_line(data, payload) == "$1.23 · context 37 %\n"
    with Collector(
        data,
        ports=(*PORTS, f"--http=127.0.0.1:{port}"),
        variables={"FLEETSPAN_SPOOL": str(spool)},
    ) as collector:
        poll(lambda: not waiting.names(), "the collector has what was kept")
        # The same delivery once more, as after an answer that was lost.
        assert kept[0] is not None
        waiting.put(kept[0])
        assert flush(waiting) == (1, 0)
        run_hook(spool, endpoint, hook("UserPromptSubmit", prompt="hello"))
        poll(lambda: not waiting.names(), "all of it is delivered")
        collector.settle()
        rows = collector.sql(
            "SELECT Event, DeliveryId, TraceParent, TimeSource, AgentType, "
            "toString(toUnixTimestamp64Nano(EventTime)) AS Time "
            "FROM claude_hooks ORDER BY EventTime"
        )
        events = [row["Event"] for row in rows]
        assert events == ["SessionStart", "SubagentStart", "UserPromptSubmit"]
        for row, delivery in zip(rows, kept, strict=False):
            assert delivery is not None
            assert row["DeliveryId"] == delivery.id
            assert row["Time"] == str(delivery.time_ns)
            assert row["TimeSource"] == "sender"
        assert (rows[1]["TraceParent"], rows[1]["AgentType"]) == (PARENT, "Explore")

        def knows() -> bool:
            return "2 agents, 2 at work" in status_line(data, payload)

        poll(knows, "the status line has what the collector knows")
        # Nobody has told the collector of a cost: the client's own stays.
        assert status_line(data, payload).startswith("$1.23 · 2 agents")
        status, _, body = collector.request(
            "web", "GET", f"/api/v1/runs/{SESSION}?wait=3"
        )
        assert (status, b"less than or equal to 2" in body) == (400, True)
        collector.stop()
    assert status_line(data, payload) == "$1.23 · context 37 %\n"
