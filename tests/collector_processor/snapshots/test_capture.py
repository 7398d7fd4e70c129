"""Snapshots of runs in a store, in an embedded engine."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Generator
from typing import Any, Final

import pytest
from clickhouse_connect.driver.exceptions import ClickHouseError

from fleetspan_collector.config import ProcessorSettings
from fleetspan_collector.snapshots.capture import Capturer, snapshot_id
from tests.collector_processor.claude_code import captures
from tests.collector_processor.claude_code.captures import Delivery
from tests.collector_processor.embedded import Embedded, embedded
from tests.collector_processor.snapshots.capturing import capture, runs_of, snapshots

_CRASH: Final = "44444444-4444-4444-8444-444444444444"
_RESUME: Final = "22222222-2222-4222-8222-222222222222"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """One store for the module; every test is a tenant of its own."""
    with embedded(tmp_path_factory.mktemp("snapshots")) as opened:
        yield opened


def _by_agent(listed: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {each["agent_id"]: each for each in listed}


def test_a_killed_session_says_what_was_done_and_running(store: Embedded) -> None:
    """After kill -9: three sub-agents at work, each with its place in its transcript."""
    captures.take(store, captures.deliveries("crash"), tenant="crash")
    assert capture(store, "crash", idle_s=900.0) == 1
    (found,) = snapshots(store, "crash")
    assert (found["Trigger"], found["RunId"]) == ("abandoned", _CRASH)
    assert (found["Agents"], found["AgentsRunning"], found["ToolsRunning"]) == (4, 4, 3)
    content = found["Content"]
    assert [each["tool_call_id"] for each in content["running_tools"]] == [
        "toolu_fake_0002_1",
        "toolu_fake_0002_2",
        "toolu_fake_0006_0",
    ]
    assert [each["tool_call_id"] for each in content["failures"]] == [
        "toolu_fake_0004_1"
    ]
    agents = _by_agent(content["agents"])
    assert agents["a8a2ab9711004dd09"]["task"] == "beta scout"
    assert agents["a8a2ab9711004dd09"]["status"] == "running"
    places = _by_agent(content["transcripts"])
    assert sorted(places) == [_CRASH, "a177af04aff2ca896", "a8a2ab9711004dd09"]
    assert places[_CRASH]["last_message"] == "Two helpers in parallel."


def test_a_place_in_a_transcript_can_be_checked(store: Embedded) -> None:
    """Path, offset, length and hash lead to a line of the file as it was."""
    captures.take(store, captures.deliveries("crash"), tenant="places")
    capture(store, "places", idle_s=900.0)
    (found,) = snapshots(store, "places")
    checked = 0
    for path in captures.transcript_files("crash"):
        for place in found["Content"]["transcripts"]:
            if place["path"].rpartition("/")[2] == path.name:
                body = path.read_bytes()[place["offset"] :][: place["bytes"]]
                assert hashlib.sha256(body).hexdigest() == place["sha256"]
                assert json.loads(body)["timestamp"]
                checked += 1
    assert checked == 3


def test_before_compaction(store: Embedded) -> None:
    """PreCompact makes one, of the moment just before it; the setting turns it off."""
    captures.take(store, captures.deliveries("resume"), tenant="compact")
    assert capture(store, "compact", snapshot_before_compaction=False) == 0
    assert capture(store, "compact") == 1
    (found,) = snapshots(store, "compact")
    assert (found["Trigger"], found["Place"], found["RunId"]) == (
        "compaction",
        "1",
        _RESUME,
    )
    assert found["Reason"] == "the context is about to be compacted (manual)"
    assert (found["LlmCalls"], found["ToolCalls"], found["AgentsRunning"]) == (4, 2, 1)


def test_hooks_alone_are_enough(store: Embedded) -> None:
    """Without any other feed PreCompact makes one all the same."""
    captures.take(store, captures.deliveries("resume", "hooks"), tenant="hooks")
    assert capture(store, "hooks") == 1


def test_a_hook_that_came_by_two_ways_is_one(store: Embedded) -> None:
    """The same PreCompact with another delivery id half a second later makes no second."""
    given = captures.deliveries("resume", "hooks")
    doubled = [
        Delivery(
            feed=each.feed,
            path=each.path,
            headers=each.headers
            | {
                "x-fleetspan-delivery-id": f"other-{number}",
                "x-fleetspan-event-time": str(
                    int(each.headers["x-fleetspan-event-time"]) + 500_000_000
                ),
            },
            body=each.body,
        )
        for number, each in enumerate(given)
        if b"PreCompact" in each.body
    ]
    assert len(doubled) == 1
    captures.take(store, [*given, *doubled], tenant="doubled")
    capture(store, "doubled")
    assert len(snapshots(store, "doubled")) == 1


def test_looking_again_writes_nothing(store: Embedded) -> None:
    """The same run again is no news to a capturer; another one replaces the row."""
    captures.take(store, captures.deliveries("tree"), tenant="again")
    settings = ProcessorSettings(snapshot_every_agents=2)
    capturer = Capturer(store.engine, settings)
    runs = runs_of(store, "again")
    assert capturer.capture(runs) == 2
    assert capturer.capture(runs) == 0
    before = [row["SnapshotId"] for row in snapshots(store, "again")]
    assert capture(store, "again", snapshot_every_agents=2) == 2
    assert [row["SnapshotId"] for row in snapshots(store, "again")] == before
    assert before[0] in {
        snapshot_id("again", row["RunId"], "agents", str(number))
        for row in snapshots(store, "again")
        for number in (1, 2)
    }


def test_late_rows_replace_a_snapshot(store: Embedded) -> None:
    """What arrives later makes the same snapshot better, and no second one."""
    capturer = Capturer(store.engine, ProcessorSettings(snapshot_every_agents=2))
    captures.take(store, captures.deliveries("tree", "hooks"), tenant="late")
    capturer.capture(runs_of(store, "late"))
    early = snapshots(store, "late")
    captures.take(
        store, captures.deliveries("tree", "transcripts", "logs"), tenant="late"
    )
    capturer.capture(runs_of(store, "late"))
    late = snapshots(store, "late")
    assert sorted(row["SnapshotId"] for row in late) == sorted(
        row["SnapshotId"] for row in early
    )
    assert [row["LlmCalls"] for row in early] == [0, 0]
    assert all(row["LlmCalls"] > 0 for row in late)
    assert all(row["Content"]["transcripts"] for row in late)


def test_a_run_that_ended_after_all_is_not_abandoned(store: Embedded) -> None:
    """Its end arrives after it looked abandoned: that snapshot is taken back."""
    capturer = Capturer(store.engine, ProcessorSettings())
    hooks = captures.deliveries("default", "hooks")
    captures.take(store, hooks[:20], tenant="ended")
    now_ns = 2_090_000_000 * 10**9
    assert capturer.capture(runs_of(store, "ended", now_ns=now_ns, idle_s=900.0)) == 1
    assert [row["Trigger"] for row in snapshots(store, "ended")] == ["abandoned"]
    captures.take(store, hooks[20:], tenant="ended")
    assert capturer.capture(runs_of(store, "ended", now_ns=now_ns, idle_s=900.0)) == 0
    assert snapshots(store, "ended") == []


def test_what_the_store_did_not_take_is_tried_again(store: Embedded) -> None:
    """A table that is away for a while costs no snapshot."""
    captures.take(store, captures.deliveries("resume", "hooks"), tenant="away")
    capturer = Capturer(store.engine, ProcessorSettings())
    table = "otel.stored_snapshots"
    store.engine.command(f"RENAME TABLE {table} TO {table}_away")
    try:
        with pytest.raises(ClickHouseError):
            capturer.analysed(runs_of(store, "away"))
    finally:
        store.engine.command(f"RENAME TABLE {table}_away TO {table}")
    capturer.analysed([])
    assert [row["Trigger"] for row in snapshots(store, "away")] == ["compaction"]


def test_nothing_at_all(store: Embedded) -> None:
    """No run, no snapshot."""
    assert Capturer(store.engine, ProcessorSettings()).capture([]) == 0


def _hook(event: str, at_s: float, **fields: object) -> Delivery:
    body = {"hook_event_name": event, "session_id": "todo-1", "cwd": "/w", **fields}
    return Delivery(
        feed="hooks",
        path=captures.HOOKS_PATH,
        headers={
            "content-type": "application/json",
            "x-fleetspan-event-time": str(round(at_s * 1e9)),
            "x-fleetspan-delivery-id": f"todo-{event}-{at_s}",
        },
        body=json.dumps(body).encode(),
    )


def _todos(at_s: float, *statuses: str) -> Delivery:
    listed = [
        {"content": f"step {number}", "status": status, "activeForm": "…"}
        for number, status in enumerate(statuses, start=1)
    ]
    return _hook(
        "PostToolUse",
        at_s,
        tool_name="TodoWrite",
        tool_use_id=f"t-{at_s}",
        tool_input={"todos": listed},
        tool_response={},
    )


def _task(at_s: float, tool: str, given: object, result: object) -> Delivery:
    return _hook(
        "PostToolUse",
        at_s,
        tool_name=tool,
        tool_use_id=f"t-{at_s}",
        tool_input=given,
        tool_response=result,
    )


def test_the_last_todo_list_by_then(store: Embedded) -> None:
    """Of lists the last one before the moment counts; tasks as they were by then."""
    start = 1_795_000_000.0
    captures.take(
        store,
        [
            _hook("SessionStart", start, source="startup"),
            _todos(start + 1, "in_progress", "pending"),
            _todos(start + 2, "completed", "in_progress"),
            _task(
                start + 3,
                "TaskCreate",
                {"subject": "write tests"},
                {"task": {"id": "7", "subject": "write tests"}},
            ),
            _task(
                start + 4, "TaskUpdate", {"taskId": "7", "status": "in_progress"}, {}
            ),
            _hook("PreCompact", start + 5, trigger="auto"),
            _todos(start + 6, "completed", "completed"),
        ],
        tenant="todos",
    )
    capture(store, "todos")
    (found,) = snapshots(store, "todos")
    assert [
        (each["content"], each["status"]) for each in found["Content"]["todos"]
    ] == [
        ("step 1", "completed"),
        ("step 2", "in_progress"),
        ("write tests", "in_progress"),
    ]


def test_files_touched(store: Embedded) -> None:
    """The last change of each file by then; files that were only read come last."""
    start = 1_795_000_000.0

    def used(at_s: float, tool: str, path: str) -> Delivery:
        return _task(at_s, tool, {"file_path": path}, {})

    captures.take(
        store,
        [
            _hook("SessionStart", start, source="startup"),
            used(start + 1, "Read", "/w/a.py"),
            used(start + 2, "Write", "/w/b.py"),
            used(start + 3, "Edit", "/w/b.py"),
            used(start + 4, "Read", "/w/b.py"),
            _hook("PreCompact", start + 5, trigger="auto"),
            used(start + 6, "Write", "/w/c.py"),
        ],
        tenant="files",
    )
    capture(store, "files")
    (found,) = snapshots(store, "files")
    assert [
        (each["operation"], each["path"]) for each in found["Content"]["files"]
    ] == [("modify", "/w/b.py"), ("read", "/w/a.py")]
