"""Hooks and transcript lines become raw rows: every one, as it came, once."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
import os
import random
import time
from collections import Counter
from collections.abc import Generator
from typing import Any

import pytest

from fleetspan_collector._claude_inputs import ClaudeHook, TranscriptLines
from fleetspan_collector._signals import Signal, Submission
from fleetspan_collector.ingest.bisect import set_unreadable_aside
from fleetspan_collector.ingest.raw_writer import RawWriter
from tests.collector_processor.claude_code import captures
from tests.collector_processor.claude_code.captures import Delivery
from tests.collector_processor.embedded import Embedded, embedded

pytestmark = pytest.mark.integration

LARGE = "0123456789" * 200_000
# Field 100 as a group, which protobuf's own parser passes over and the engine does not.
_GROUP = b"\xa3\x06\x08\x05\xa4\x06"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Generator[Embedded]:
    """A store that cuts values past one mebibyte."""
    with embedded(tmp_path_factory.mktemp("claude")) as opened:
        opened.writer = RawWriter(
            opened.engine, opened.engine, value_limit_bytes=1 << 20
        )
        yield opened


@pytest.fixture(autouse=True)
def _empty_journal(store: Embedded) -> Generator[None]:
    """A test that fails leaves no segment to the next."""
    yield
    store.journal.seal()
    for segment in store.journal.sealed():
        store.journal.remove(segment)


def insert(
    store: Embedded, given: list[Delivery], tenant: str, *, forgetful: bool = False
) -> None:
    """Take deliveries as far as the raw tables."""
    for segment in captures.journal(store, given, tenant=tenant, forgetful=forgetful):
        store.writer.insert(segment)
        store.journal.remove(segment)


def hook(body: bytes, **headers: str) -> Delivery:
    """Return the delivery of a hook; header names are written with underscores."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Delivery(
        feed="hooks",
        path=captures.HOOKS_PATH,
        headers={"content-type": "application/json"} | named,
        body=body,
    )


def lines(body: bytes, path: str = "/p/s1.jsonl", **headers: str) -> Delivery:
    """Return the delivery of the first lines of a transcript."""
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return Delivery(
        feed="transcripts",
        path=captures.TRANSCRIPTS_PATH,
        headers={
            "content-type": "application/x-ndjson",
            "x-fleetspan-transcript-path": path,
            "x-fleetspan-transcript-offset": "0",
        }
        | named,
        body=body,
    )


@pytest.mark.parametrize("name", captures.NAMES)
def test_every_hook_is_a_row(store: Embedded, name: str) -> None:
    """Each hook of a capture is one row, its body as it came and its fields beside it."""
    sent = captures.deliveries(name, "hooks")
    insert(store, sent, name)
    rows = {
        row["DeliveryId"]: row
        for row in store.rows(
            "claude_hooks",
            f"Tenant = '{name}'",
            "*, toString(toUnixTimestamp64Nano(EventTime)) AS event_unix_nano",
        )
    }
    assert len(rows) == len(sent)
    for each in sent:
        row = rows[each.headers["x-fleetspan-delivery-id"]]
        body = json.loads(each.body)
        assert row["Body"].encode() == each.body
        assert row["event_unix_nano"] == each.headers["x-fleetspan-event-time"]
        assert row["TimeSource"] == "sender"
        assert row["TraceParent"] == each.headers.get("traceparent", "")
        for column, key in {
            "SessionId": "session_id",
            "Event": "hook_event_name",
            "AgentId": "agent_id",
            "AgentType": "agent_type",
            "PromptId": "prompt_id",
            "ToolUseId": "tool_use_id",
            "ToolName": "tool_name",
            "Cwd": "cwd",
            "TranscriptPath": "transcript_path",
        }.items():
            assert row[column] == body.get(key, ""), (column, body)


def test_the_captures_hold_every_event_they_should(store: Embedded) -> None:
    """What `tree` and `resume` fired, counted by hand from their files."""
    sent = captures.deliveries("tree", "hooks") + captures.deliveries("resume", "hooks")
    insert(store, sent, "events")
    rows = store.rows(
        "claude_hooks", "Tenant = 'events' GROUP BY Event", "Event, count() AS n"
    )
    assert {row["Event"]: int(row["n"]) for row in rows} == {
        "InstructionsLoaded": 6,
        "MessageDisplay": 9,
        "PostCompact": 1,
        "PostToolBatch": 15,
        "PostToolUse": 16,
        "PostToolUseFailure": 2,
        "PreCompact": 1,
        "PreToolUse": 18,
        "SessionEnd": 6,
        "SessionStart": 7,
        "Stop": 6,
        "SubagentStart": 4,
        "SubagentStop": 5,
        "UserPromptSubmit": 6,
    }


@pytest.mark.parametrize("name", captures.NAMES)
def test_every_line_is_a_row_at_its_place(store: Embedded, name: str) -> None:
    """Path and offset lead to the very bytes of the line, however it was delivered."""
    sent = captures.deliveries(name, "transcripts", lines_at_once=7)
    random.Random(3).shuffle(sent)
    insert(store, sent + sent[:3], f"{name}-lines")
    count = 0
    for file in captures.transcript_files(name):
        relative = file.relative_to(captures.FOLDER / name / "transcripts")
        content = file.read_bytes()
        rows = store.rows(
            "claude_transcript_lines",
            f"Tenant = '{name}-lines' AND endsWith(Path, '/projects/{relative}')",
        )
        assert len(rows) == len(content.splitlines())
        end = 0
        for row in sorted(rows, key=lambda row: int(row["Offset"])):
            assert int(row["Offset"]) == end
            end += len(row["Body"].encode()) + 1
            assert content[int(row["Offset"]) : end].rstrip(b"\n") == (
                row["Body"].encode()
            )
            _compare_line(row, json.loads(row["Body"]))
        count += len(rows)
    assert count == len(store.rows("claude_transcript_lines", _of(f"{name}-lines")))


def _of(tenant: str) -> str:
    return f"Tenant = '{tenant}'"


def _compare_line(row: dict[str, Any], line: dict[str, Any]) -> None:
    session = line.get("requestSessionId") or line.get("sessionId")
    assert row["SessionId"] == (session or row["FileSessionId"])
    agent = line.get("agentId")
    if agent:
        assert row["AgentId"] == agent
    elif "/subagents/" in row["Path"]:
        assert f"/agent-{row['AgentId']}." in row["Path"]
    assert row["Type"] == line.get("type", "")
    assert row["Uuid"] == line.get("uuid", "")
    assert row["ParentUuid"] == (line.get("parentUuid") or "")
    assert row["Version"] == line.get("version", "")
    said = line.get("timestamp", "1970-01-01T00:00:00.000Z")
    assert row["Timestamp"][:23].replace(" ", "T") + "Z" == said


def test_a_delivery_counts_once_however_late_it_is_repeated(store: Embedded) -> None:
    """Within the journal's window it is not journaled twice, beyond it not inserted."""
    sent = captures.deliveries("crash", "hooks")
    insert(store, sent + sent, "again")
    assert len(store.rows("claude_hooks", _of("again"))) == 24
    insert(store, [*sent, hook(b'{"n":1}')], "again", forgetful=True)
    rows = store.rows("claude_hooks", _of("again"))
    assert Counter(row["DeliveryId"] for row in rows).most_common(1)[0][1] == 1
    assert len(rows) == 25


def test_a_repeat_without_a_stamp_counts_once_too(store: Embedded) -> None:
    """A delivery id alone is enough; and one tenant's ids are not another's."""
    one = hook(b'{"hook_event_name":"Stop","session_id":"s"}', delivery_id="a'b\\c")
    insert(store, [one], "unstamped")
    insert(store, [one], "unstamped", forgetful=True)
    insert(store, [one], "unstamped-2", forgetful=True)
    assert len(store.rows("claude_hooks", _of("unstamped"))) == 1
    assert len(store.rows("claude_hooks", _of("unstamped-2"))) == 1


def test_hooks_without_a_delivery_id_are_each_one_delivery(store: Embedded) -> None:
    """Genuine hooks repeat byte for byte, so equal bytes are no repeat."""
    same = hook(b'{"hook_event_name":"Stop","session_id":"s"}')
    before_ns = time.time_ns()
    insert(store, [same, same, same], "same")
    rows = store.rows("claude_hooks", _of("same"), "*, EventTime = ReceivedAt AS same")
    assert [(row["TimeSource"], row["same"]) for row in rows] == [("receipt", True)] * 3
    received = store.rows(
        "claude_hooks",
        _of("same"),
        "toString(toUnixTimestamp64Nano(ReceivedAt)) AS at",
    )
    assert all(before_ns <= int(row["at"]) <= time.time_ns() for row in received)


@pytest.mark.parametrize(
    ("given", "event", "session"),
    [
        (b"", "", ""),
        (b"not json", "", ""),
        (b'["session_id", "Stop"]', "", ""),
        (b'"Stop"', "", ""),
        (b'{"session_id":"s","hook_event_name":"St', "", ""),
        (b'{"session_id":"s"}', "", "s"),
        (b'{"hook_event_name":"Stop"}', "Stop", ""),
        (b'{"session_id":"s","hook_event_name":"Brandnew"}', "Brandnew", "s"),
        (b'\xef\xbb\xbf {"session_id":"s","hook_event_name":"Stop"}\n', "Stop", "s"),
        (b'{"session_id":"s","hook_event_name":"Stop","x":"\\ud83d"}', "Stop", "s"),
        (b'{"session_id":"s","hook_event_name":"Stop","x":"\xff"}', "Stop", "s"),
        (b"[" * 100_000, "", ""),
        (b'{"a":' * 2_000 + b"1" + b"}" * 2_000, "", ""),
    ],
)
def test_a_malformed_hook_is_kept(
    store: Embedded, given: bytes, event: str, session: str
) -> None:
    """It is a row with what could be read of it, beside its neighbours."""
    tenant = hashlib.sha256(given).hexdigest()[:8]
    sound = hook(b'{"hook_event_name":"Stop","session_id":"sound"}')
    insert(store, [sound, hook(given), sound], tenant)
    rows = store.rows("claude_hooks", f"Tenant = '{tenant}' AND SessionId != 'sound'")
    assert [(row["Event"], row["SessionId"]) for row in rows] == [(event, session)]
    assert len(store.rows("claude_hooks", _of(tenant))) == 3
    assert len(rows[0]["Body"]) >= len(given.strip()) - 5


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("1795341077799445000", "2026-11-22 09:51:17.799445000"),
        ("2026-11-22T10:51:17.799445+01:00", "2026-11-22 09:51:17.799445000"),
        ("2026-11-22T09:51:17Z", "2026-11-22 09:51:17.000000000"),
    ],
)
def test_the_senders_stamp_is_when_it_happened(
    store: Embedded, given: str, expected: str
) -> None:
    """Unix nanoseconds or RFC 3339."""
    tenant = f"stamp-{given}"
    insert(store, [hook(b"{}", x_fleetspan_event_time=given)], tenant)
    (row,) = store.rows("claude_hooks", _of(tenant))
    assert (row["EventTime"], row["TimeSource"]) == (expected, "sender")


@pytest.mark.parametrize(
    "given", ["soon", "-5", "1795341077", "²", "9" * 19, "2026-11-22T09:51:17"]
)
def test_a_stamp_that_cannot_be_is_no_stamp(store: Embedded, given: str) -> None:
    """Receipt stands in for what is no time, or a time of another age."""
    tenant = f"no-stamp-{given}"
    insert(store, [hook(b"{}", x_fleetspan_event_time=given)], tenant)
    (row,) = store.rows("claude_hooks", _of(tenant))
    assert row["TimeSource"] == "receipt"


def test_lines_that_are_no_objects_are_kept(store: Embedded) -> None:
    """Blank ones are none; a torn one at the end is a row until the whole one comes."""
    text = b'{"type":"user","uuid":"u1"}\n\n[1,2]\nnonsense\r\n{"type":"assistant","uu'
    insert(store, [lines(text)], "torn")
    whole = b'{"type":"assistant","uuid":"u2"}\n'
    rest = lines(whole, x_fleetspan_transcript_offset=str(text.rindex(b"{")))
    columns = "Offset, Type, Uuid, Body"
    rows = store.rows("claude_transcript_lines", _of("torn"), columns)
    assert rows == [
        {"Offset": 0, "Type": "user", "Uuid": "u1", "Body": text[:27].decode()},
        {"Offset": 29, "Type": "", "Uuid": "", "Body": "[1,2]"},
        {"Offset": 35, "Type": "", "Uuid": "", "Body": "nonsense\r"},
        {"Offset": 45, "Type": "", "Uuid": "", "Body": '{"type":"assistant","uu'},
    ]
    insert(store, [rest], "torn")
    store.engine.command("OPTIMIZE TABLE otel.claude_transcript_lines FINAL")
    rows = store.rows("claude_transcript_lines", _of("torn"), columns)
    assert rows[-1] == {
        "Offset": 45,
        "Type": "assistant",
        "Uuid": "u2",
        "Body": whole.decode().strip(),
    }
    assert len(rows) == 4


def test_what_headers_leave_out_comes_from_the_path(store: Embedded) -> None:
    """Session and agent are in the names that Claude Code gives its files."""
    folder = "C%3A%5CUsers%5C%C3%A9%5C.claude%5Cprojects%5Cp%5C"
    sent = [
        lines(b'{"a":1}', f"{folder}s1.jsonl"),
        lines(b'{"a":1}', f"{folder}s1%5Csubagents%5Cagent-a1.jsonl"),
        lines(b'{\n "b": 1\n}\n', "/p/s2/subagents/workflows/w/agent-a2.meta.json"),
    ]
    insert(store, sent, "paths")
    columns = "FileSessionId, SessionId, AgentId, Body, Path"
    rows = store.rows("claude_transcript_lines", _of("paths"), columns)
    assert [list(row.values())[:4] for row in rows] == [
        ["s1", "s1", "", '{"a":1}'],
        ["s1", "s1", "a1", '{"a":1}'],
        ["s2", "s2", "a2", '{  "b": 1 }'],
    ]
    assert rows[0]["Path"] == "C:\\Users\\é\\.claude\\projects\\p\\s1.jsonl"


def test_compressed_lines_are_the_same_lines(store: Embedded) -> None:
    """A sender may use gzip; a repeat is known whichever way it comes."""
    (first, *_) = captures.deliveries("tree", "transcripts", lines_at_once=1000)
    packed = dataclasses.replace(
        first,
        body=gzip.compress(first.body),
        headers=first.headers | {"content-encoding": "gzip"},
    )
    (segment,) = captures.journal(store, [first, packed], tenant="gzip")
    assert segment.records == 1
    assert segment.rows == 24


def test_a_large_hook_is_still_json_in_its_row(store: Embedded) -> None:
    """Its long strings are cut, with the hash of the whole, which is kept once."""
    body = {"session_id": "s", "hook_event_name": "PostToolUse", "tool_use_id": "t1"}
    text = json.dumps(body | {"tool_response": {"stdout": LARGE, "ok": True}}).encode()
    insert(store, [hook(text), hook(text), hook(b"x" * 1_100_000)], "large")
    digest = hashlib.sha256(text).hexdigest()
    rows = store.rows("claude_hooks", _of("large"))
    marker = f"… [{len(text)} bytes, whole in large_values under {digest}]"
    shown = {"stdout": LARGE[:65_536] + marker, "ok": True}
    assert [json.loads(row["Body"]) for row in rows if row["Event"]] == [
        body | {"tool_response": shown}
    ] * 2
    assert [row["ToolUseId"] for row in rows if row["Event"]] == ["t1", "t1"]
    (other,) = [row["Body"] for row in rows if not row["Event"]]
    assert other.startswith("x" * 65_536 + "… [1100000 bytes, whole in large_values")
    assert _kept(store, text) == 1
    assert _kept(store, b"x" * 1_100_000) == 1


def test_a_large_line_costs_its_neighbours_nothing(store: Embedded) -> None:
    """Lines beside it stand at their places, whole; its own facts are there."""
    large = json.dumps({"type": "user", "uuid": "u", "image": LARGE}).encode()
    quoted = json.dumps({"type": "user", "uuid": "q", "code": '"\\' * 600_000}).encode()
    small = b'{"type":"assistant","uuid":"v"}'
    insert(store, [lines(b"\n".join([small, large, small, quoted]))], "large-lines")
    rows = store.rows("claude_transcript_lines", _of("large-lines"))
    assert [(row["Type"], row["Uuid"]) for row in rows] == [
        ("assistant", "v"),
        ("user", "u"),
        ("assistant", "v"),
        ("user", "q"),
    ]
    assert [int(row["Offset"]) for row in rows] == [
        0,
        len(small) + 1,
        len(small) + len(large) + 2,
        2 * len(small) + len(large) + 3,
    ]
    assert [row["Body"] for row in rows[::2]] == [small.decode()] * 2
    assert json.loads(rows[1]["Body"])["image"].startswith(LARGE[:65_536] + "… [")
    assert json.loads(rows[3]["Body"])["code"].startswith('"\\' * 32_768 + "… [")
    assert _kept(store, large) == _kept(store, quoted) == 1
    assert _kept(store, small) == 0


def _kept(store: Embedded, text: bytes) -> int:
    """How often a text stands whole among the large values."""
    digest = hashlib.sha256(text).hexdigest()
    rows = store.rows("large_values FINAL", f"Hash = '{digest}'", "Value")
    assert all(row["Value"].encode() == text for row in rows)
    return len(rows)


@pytest.mark.parametrize(
    ("signal", "sound"),
    [
        (Signal.CLAUDE_HOOKS, ClaudeHook(body=b"{}")),
        (Signal.TRANSCRIPT_LINES, TranscriptLines(offsets=[7], lines=b"{}")),
    ],
)
def test_a_record_that_the_engine_refuses_goes_alone(
    store: Embedded, signal: Signal, sound: Any
) -> None:
    """Bisecting finds it among its neighbours, whatever it holds."""
    tenant = f"refused-{signal.value}"
    payload = sound.SerializeToString()
    for each in (payload, payload + _GROUP, payload):
        store.journal.append(
            Submission(
                signal=signal,
                tenant=tenant,
                payload=each,
                rows=1,
                record_id=os.urandom(16),
            )
        )
    (segment,) = store.journal.seal()
    left = set_unreadable_aside(store.journal, store.writer, segment)
    assert left is not None
    assert (left.records, left.rows) == (2, 2)
    store.writer.insert(left)
    table = {
        Signal.CLAUDE_HOOKS: "claude_hooks",
        Signal.TRANSCRIPT_LINES: "claude_transcript_lines",
    }[signal]
    assert {row["Body"] for row in store.rows(table, _of(tenant))} == {"{}"}


@pytest.mark.parametrize("feed", ["hooks", "transcripts"])
def test_only_missing_rows_are_inserted_after_a_doubt(
    store: Embedded, feed: str
) -> None:
    """A segment of which a part is in the store is completed, not repeated."""
    tenant = f"doubt-{feed}"
    (segment,) = captures.journal(
        store, captures.deliveries("crash", feed), tenant=tenant
    )
    table = "claude_hooks" if feed == "hooks" else "claude_transcript_lines"
    store.writer.insert(segment)
    before = store.rows(table, _of(tenant))
    store.engine.command(
        f"DELETE FROM otel.{table} WHERE Tenant = '{tenant}' AND BatchOrdinal % 3 = 1"
    )
    assert 0 < len(store.rows(table, _of(tenant))) < len(before)
    store.writer.insert(segment, doubtful=True)
    store.writer.insert(segment, doubtful=True)
    assert store.rows(table, _of(tenant)) == before
