"""Model calls straight from files, each once, without a store of the user's."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from fleetspan_collector.transcripts import read_calls
from tests.collector_processor.claude_code.captures import expected
from tests.collector_processor.transcripts.made import (
    FORK,
    SESSION,
    at,
    begun,
    capture,
    line,
    reply,
    write,
)

pytestmark = pytest.mark.integration

_KINDS: Final = {
    "input_tokens": "InputTokens",
    "output_tokens": "OutputTokens",
    "cache_read_input_tokens": "CacheReadTokens",
    "cache_creation_input_tokens": "CacheWriteTokens",
    "cache_write_5m": "CacheWrite5mTokens",
    "cache_write_1h": "CacheWrite1hTokens",
}


def calls(*places: Path) -> list[dict[str, Any]]:
    """Return the calls of transcripts."""
    rows: list[dict[str, Any]] = read_calls(places).to_pylist()
    return rows


@pytest.mark.parametrize("name", ["tree", "default", "resume", "crash", "sdk"])
def test_a_capture_is_what_the_provider_answered(name: str) -> None:
    """Requests and tokens of every agent are the truth, but for what no file says.

    That is compaction, of which a transcript has no message, and the types of main
    agents.
    """
    truth = {
        (agent["session_id"], agent["agent_id"] or agent["session_id"]): agent
        for agent in expected(name)["agents"]
    }
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in calls(capture(name)):
        found.setdefault((row["SessionId"], row["AgentId"]), []).append(row)
    assert set(found) == set(truth)
    for key, rows in found.items():
        requests = truth[key]["requests"]
        unseen = [each for each in requests if each["kind"] == "compact"]
        assert sorted(row["RequestId"] for row in rows) == sorted(
            each["request_id"] for each in requests if each["kind"] != "compact"
        )
        if not unseen:
            sums = {k: sum(row[column] for row in rows) for k, column in _KINDS.items()}
            assert sums == truth[key]["tokens"]
        assert {row["AgentType"] is None for row in rows} == {key[0] == key[1]}


def test_a_call_has_what_its_lines_and_files_say() -> None:
    """Type of the agent, project, model, client, ids and time."""
    (row,) = [
        row
        for row in calls(capture("tree"))
        if row["AgentType"] == "code-scout" and row["RequestId"] == "req_fake_0006"
    ]
    assert row["Project"] == "work"
    assert row["Cwd"] == "/srv/work/tree/work"
    assert (row["Model"], row["Provider"]) == ("claude-opus-5-5", "anthropic")
    assert (row["CallId"], row["ResponseId"]) == ("req_fake_0006", "msg_fake_0006")
    assert (row["ServiceTier"], row["ClientVersion"]) == ("", "2.1.330")
    assert f"{row['StartTime']:%Y-%m-%dT%H:%M}" == "2026-11-22T09:51"
    assert row["ReportedCostUsd"] is None


def test_the_largest_of_each_number_counts(tmp_path: Path) -> None:
    """Lines of one reply hold parts of it, in any order, each field for itself."""
    full = {"input_tokens": 11, "output_tokens": 500}
    write(
        tmp_path,
        reply(1, usage={"output_tokens": 3}),
        reply(1, usage=full),
        reply(1, usage={"input_tokens": 2, "output_tokens": 4}),
    )
    (row,) = calls(tmp_path)
    assert (row["InputTokens"], row["OutputTokens"]) == (11, 500)


def test_a_reply_without_a_request_is_known_by_its_message(tmp_path: Path) -> None:
    """Where lines of the same message do name one request, it is that one."""
    write(
        tmp_path,
        reply(1),
        reply(1, requestId=None, usage={"output_tokens": 900}),
        reply(2, requestId=None),
        reply(2, requestId=None),
    )
    assert [(row["CallId"], row["OutputTokens"]) for row in calls(tmp_path)] == [
        ("req_1", 900),
        ("msg_2", 102),
    ]


def test_a_message_id_that_came_twice_is_two_calls(tmp_path: Path) -> None:
    """The API has done so; the requests tell them apart."""
    write(tmp_path, reply(1), reply(2, message={"id": "msg_1"}))
    assert [row["CallId"] for row in calls(tmp_path)] == ["req_1", "req_2"]


def test_lines_without_any_id_are_calls_of_their_own(tmp_path: Path) -> None:
    """Nothing says that they are one."""
    nameless: dict[str, Any] = {"requestId": None, "message": {"id": ""}}
    write(tmp_path, reply(1, **nameless), reply(2, **nameless))
    assert [row["InputTokens"] for row in calls(tmp_path)] == [11, 12]


def test_a_fork_belongs_to_who_made_the_request(tmp_path: Path) -> None:
    """Copied lines name the session; the fork keeps its own calls."""
    write(tmp_path, begun(), reply(1))
    copied = reply(1, FORK, requestSessionId=SESSION)
    write(tmp_path, copied, begun(FORK, at_s=50), reply(60, FORK), session=FORK)
    assert [(row["CallId"], row["SessionId"]) for row in calls(tmp_path)] == [
        ("req_1", SESSION),
        ("req_60", FORK),
    ]


@pytest.mark.parametrize("first", [SESSION, FORK])
def test_an_old_fork_leaves_calls_to_the_session_that_was_there(
    tmp_path: Path, first: str
) -> None:
    """Older clients name no session: it is the one that had begun before the call."""
    second = FORK if first == SESSION else SESSION
    write(tmp_path, begun(first), reply(1, first), session=first)
    write(
        tmp_path,
        *(reply(1, second), begun(second, at_s=50), reply(60, second)),
        session=second,
    )
    assert [(row["CallId"], row["SessionId"]) for row in calls(tmp_path)] == [
        ("req_1", first),
        ("req_60", second),
    ]


def test_what_is_no_call_is_left_out(tmp_path: Path) -> None:
    """Answers that the client made up, results with usage, and broken lines."""
    write(
        tmp_path,
        reply(1, message={"model": "<synthetic>"}),
        line(type="user", toolUseResult={"usage": {"output_tokens": 5}}, uuid="u"),
        b'{"type":"assistant","message":{"usage":{"output_tok\n',
        b"\x00\x00\xff\xfe\n\n",
        reply(2).replace(b"\n", b"\r\n"),
        reply(3)[:-1],
    )
    assert [row["CallId"] for row in calls(tmp_path)] == ["req_2", "req_3"]


def test_tiers_and_old_costs_are_kept(tmp_path: Path) -> None:
    """What changes a price comes as words; a sum of cache writes is not split."""
    usage = {
        "service_tier": "batch",
        "speed": "fast",
        "inference_geo": "us",
        "cache_creation": None,
        "server_tool_use": {"web_search_requests": 2},
    }
    write(tmp_path, reply(1, usage=usage, costUSD=0.25))
    (row,) = calls(tmp_path)
    assert row["ServiceTier"] == "batch+fast+us"
    assert (row["CacheWriteTokens"], row["CacheWrite5mTokens"]) == (301, None)
    assert (row["WebSearches"], row["ReportedCostUsd"]) == (2, 0.25)


def test_nothing_is_no_calls(tmp_path: Path) -> None:
    """No files: no rows, and the same columns."""
    table = read_calls([tmp_path])
    assert table.num_rows == 0
    assert table.column_names[:3] == ["SessionId", "AgentId", "AgentType"]


def test_paths_are_never_taken_for_patterns(tmp_path: Path) -> None:
    """Braces, stars, commas, quotes and other alphabets in names are only names."""
    folder = tmp_path / "it's {a,b} *? 模型"
    write(folder, reply(1))
    assert [row["CallId"] for row in calls(folder)] == ["req_1"]


def test_a_transcript_cut_at_every_byte_has_the_calls_before(tmp_path: Path) -> None:
    """However a file ends, its whole lines count and the rest does not."""
    expected_calls = {}
    for cut in range(len(begun("s0000") + reply(1, "s0000")) + 1):
        session = f"s{cut:04d}"
        lines = begun(session) + reply(1, session, requestId=f"r{cut:04d}")
        write(tmp_path, lines[:cut], session=session)
        # The last byte is the line's end, without which the object is whole, too.
        expected_calls[session] = int(cut >= len(lines) - 1)
    found = dict.fromkeys(expected_calls, 0)
    for row in calls(tmp_path):
        found[row["SessionId"]] += 1
    assert found == expected_calls
    assert sum(found.values()) == 2


def test_a_session_is_dated_by_its_lines(tmp_path: Path) -> None:
    """The first line of a reply is its time, wherever in the file it stands."""
    write(tmp_path, reply(1, timestamp=at(9)), reply(1, timestamp=at(7.5)))
    (row,) = calls(tmp_path)
    assert row["StartTime"].isoformat() == "2026-11-22T10:00:07.500000+00:00"
