"""Transcripts come into a store, each line once, however often they are sent."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from fleetspan_collector.transcripts import find_transcripts
from fleetspan_collector.transcripts.collector_client import Address
from fleetspan_collector.transcripts.importing import Importer
from tests.collector_processor.claude_code.captures import expected
from tests.collector_processor.running import Collector, command, environment, poll
from tests.collector_processor.transcripts.made import (
    begun,
    capture,
    line,
    reply,
    write,
)

pytestmark = pytest.mark.integration

NAMES: Final = ("tree", "default", "resume", "crash", "sdk")
_RAW: Final = "claude_transcript_lines"


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A running collector."""
    with Collector(tmp_path_factory.mktemp("import") / "data") as running:
        yield running


def said(number: int, session: str, **given: Any) -> bytes:
    """Return a line of a reply whose ids no other session has."""
    name = f"{session}-{number}"
    ids = {
        "requestId": f"req-{name}",
        "message": {"id": f"msg-{name}"},
        "uuid": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
    }
    return reply(number, session, **ids | given)


def address(collector: Collector) -> Address:
    """Return where a collector is."""
    return Address(
        url=f"http://{collector.endpoint('otlp_http')}",
        web=collector.endpoint("web"),
        pid=collector.process.pid,
    )


_OPEN: Final[list[Importer]] = []


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while _OPEN:
        _OPEN.pop().close()


def importer(collector: Collector, *places: Path, web: bool = True) -> Importer:
    """Return an importer of places into a collector."""
    there = address(collector)
    made = Importer(
        places,
        lambda: there if web else Address(url=there.url),
        database="otel",
        tenant="",
        stopping=threading.Event(),
    )
    _OPEN.append(made)
    return made


def imported(collector: Collector, *places: Path, web: bool = True) -> Importer:
    """Import places and wait until everything can be read."""
    made = importer(collector, *places, web=web)
    made.look()
    collector.settle()
    return made


def lines_of(collector: Collector, folder: Path) -> list[dict[str, Any]]:
    """Return the stored lines of a folder's files."""
    return collector.sql(
        "SELECT toUInt32(Offset) AS Offset, FileSessionId, AgentId, Type, Body"
        f" FROM otel.{_RAW} FINAL WHERE startsWith(Path, '{folder}')"
        " ORDER BY Path, Offset"
    )


def calls_of(collector: Collector, session: str) -> int:
    """Return the number of model calls of a session."""
    return collector.count("llm_calls", f"SessionId = '{session}'")


def test_captures_come_in_whole_and_once(collector: Collector) -> None:
    """Each capture's requests are there; importing again sends nothing."""
    places = [capture(name) for name in NAMES]
    first = imported(collector, *places)
    assert first.imported.files == 17
    assert first.imported.lines == 612
    assert first.imported.malformed == 0
    for name in NAMES:
        for agent in expected(name)["agents"]:
            here = agent["agent_id"] or agent["session_id"]
            seen = [each for each in agent["requests"] if each["kind"] != "compact"]
            rows = collector.sql(
                "SELECT RequestId FROM otel.llm_calls WHERE"
                f" SessionId = '{agent['session_id']}' AND AgentId = '{here}'"
            )
            assert {row["RequestId"] for row in rows} >= {
                each["request_id"] for each in seen
            }
    again = imported(collector, *places)
    assert (again.imported.files, again.imported.lines) == (17, 0)
    assert again.totals() == first.totals()


def test_an_importer_that_cannot_ask_changes_nothing(
    collector: Collector, tmp_path: Path
) -> None:
    """Without the web port everything is sent again, and stands there once."""
    write(tmp_path, begun("s-blind"), said(1, "s-blind"), session="s-blind")
    imported(collector, tmp_path)
    before = lines_of(collector, tmp_path)
    again = imported(collector, tmp_path, web=False)
    assert again.imported.lines == 2
    assert lines_of(collector, tmp_path) == before
    assert calls_of(collector, "s-blind") == 1


def test_a_growing_file_is_read_on(collector: Collector, tmp_path: Path) -> None:
    """Half a line waits; only what is new is sent, by this importer or the next."""
    parts = [begun("s-grow"), said(1, "s-grow"), said(2, "s-grow")]
    path = write(tmp_path, parts[0], parts[1][:50], session="s-grow")
    one = imported(collector, tmp_path)
    assert one.imported.lines == 1
    path.write_bytes(parts[0] + parts[1] + parts[2][:-1])
    one.look()
    assert one.imported.lines == 3
    path.write_bytes(b"".join(parts) + said(3, "s-grow"))
    collector.settle()
    other = imported(collector, tmp_path)
    assert other.imported.lines == 1
    offsets = [row["Offset"] for row in lines_of(collector, tmp_path)]
    assert offsets == [0, *(len(b"".join(parts[:n])) for n in (1, 2, 3))]
    assert calls_of(collector, "s-grow") == 3


def test_every_shape_of_line_is_kept(collector: Collector, tmp_path: Path) -> None:
    """Broken lines stand as they are, with no type, and are counted."""
    lines = [
        *(begun("s-odd"), b"not json\n", b'{"type":"assistant","mess\n', b"[1,2]\n"),
        *(b"\x00\x00\x00\n", b"\xff\xfe\n", b"\n", b'{"type":"user"}\r\n'),
        said(1, "s-odd"),
    ]
    write(tmp_path, *lines, session="s-odd")
    write(tmp_path, session="s-empty")
    made = imported(collector, tmp_path)
    assert (made.imported.lines, made.imported.malformed) == (8, 5)
    rows = lines_of(collector, tmp_path)
    assert [row["Type"] for row in rows] == [
        *("queue-operation", "", "", "", "", "", "user", "assistant")
    ]
    assert rows[1]["Body"] == "not json"
    assert calls_of(collector, "s-odd") == 1


def test_a_huge_line_comes_alone(collector: Collector, tmp_path: Path) -> None:
    """A line of 9 MB, longer than a chunk, does not keep its neighbours."""
    huge = line(type="user", sessionId="s-huge", message={"content": "x" * 9_000_000})
    write(tmp_path, begun("s-huge"), huge, said(1, "s-huge"), session="s-huge")
    assert imported(collector, tmp_path).imported.lines == 3
    assert len(lines_of(collector, tmp_path)) == 3
    assert calls_of(collector, "s-huge") == 1


def test_a_replaced_file_is_read_from_its_beginning(
    collector: Collector, tmp_path: Path
) -> None:
    """Shorter or not, and what the old one told stays told."""
    path = write(tmp_path, said(1, "s-new"), said(2, "s-new"), session="s-new")
    one = imported(collector, tmp_path)
    path.write_bytes(said(3, "s-new"))
    assert imported(collector, tmp_path).imported.restarted == 1
    one.look()
    assert one.imported.restarted == 1
    collector.settle()
    path.write_bytes(said(3, "s-new") + said(4, "s-new"))
    assert imported(collector, tmp_path).imported.lines == 1
    assert calls_of(collector, "s-new") == 4


def test_a_description_that_changes_is_sent_again(
    collector: Collector, tmp_path: Path
) -> None:
    """The client marks an agent as finished in its ``.meta.json``; once is enough."""
    write(tmp_path, begun("s-meta"), session="s-meta")
    folder = tmp_path / "projects" / "-srv-project" / "s-meta" / "subagents"
    folder.mkdir(parents=True)
    (folder / "agent-a1.jsonl").write_bytes(said(1, "s-meta", agentId="a1"))
    meta = folder / "agent-a1.meta.json"
    meta.write_text('{"agentType": "scout",\n "toolUseId": "t1"}')

    def stored() -> list[str]:
        rows = lines_of(collector, folder)
        return [row["Body"] for row in rows if "agentType" in row["Body"]]

    imported(collector, tmp_path)
    assert [json.loads(each) for each in stored()] == [
        {"agentType": "scout", "toolUseId": "t1"}
    ]
    sent = collector.metric("fleetspan_receiver_items_total")
    imported(collector, tmp_path)
    assert collector.metric("fleetspan_receiver_items_total") == sent
    meta.write_text('{"agentType": "scout", "toolUseId": "t1", "finished": true}')
    imported(collector, tmp_path)
    assert [json.loads(each)["finished"] for each in stored()] == [True]
    (row,) = collector.sql("SELECT Type FROM otel.agents WHERE AgentId = 'a1'")
    assert row["Type"] == "scout"


def test_a_transcript_cut_at_every_byte_comes_in(
    collector: Collector, tmp_path: Path
) -> None:
    """Whole lines of every beginning of a file count; with the rest, all is there."""
    size = len(begun("c0000") + said(1, "c0000"))
    whole = {}
    for cut in range(size + 1):
        session = f"c{cut:04d}"
        whole[session] = begun(session) + said(1, session)
        write(tmp_path, whole[session][:cut], session=session)
    made = imported(collector, tmp_path)
    first = len(begun("c0000"))
    assert made.imported.lines == (size + 1 - (first - 1)) + 2
    assert made.imported.malformed == 0
    assert collector.count("llm_calls", "match(SessionId, '^c[0-9]{4}$')") == 2
    for session, lines in whole.items():
        write(tmp_path, lines, session=session)
    made.look()
    collector.settle()
    assert made.imported.lines == 2 * (size + 1)
    assert made.imported.restarted == 0
    assert collector.count("llm_calls", "match(SessionId, '^c[0-9]{4}$')") == size + 1
    assert len(lines_of(collector, tmp_path)) == 2 * (size + 1)


@pytest.mark.skipif(sys.platform != "linux", reason="needs a file that fails")
def test_a_file_that_cannot_be_read_is_passed_over(
    collector: Collector, tmp_path: Path
) -> None:
    """It is reported and not tried again and again; its neighbours come in."""
    path = write(tmp_path, begun("s-near"), session="s-near")
    broken = path.with_name("s-broken.jsonl")
    # To read a process's memory from address 0 is an error of input.
    broken.symlink_to("/proc/self/mem")
    made = imported(collector, tmp_path)
    assert made.imported.unreadable == {broken: "Input/output error"}
    assert (made.imported.files, made.imported.lines) == (2, 1)
    assert not made.changed(find_transcripts([tmp_path]))


def test_two_importers_at_once_make_no_second_row(
    collector: Collector, tmp_path: Path
) -> None:
    """Both may send the same lines at the same time."""
    for number in range(20):
        session = f"s-two-{number}"
        write(tmp_path, begun(session), said(number, session), session=session)
    both = [importer(collector, tmp_path) for _ in range(2)]
    threads = [threading.Thread(target=each.look) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    collector.settle()
    assert len(lines_of(collector, tmp_path)) == 40


def test_the_command_runs_a_collector_where_there_is_none(tmp_path: Path) -> None:
    """With no collector it does everything itself, once, and says what came of it."""
    data = str(tmp_path / "data")
    done = command("claude", "import", str(capture("tree")), "--data", data, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["files"], told["files_read"], told["lines"]) == (5, 5, 181)
    assert (told["sessions"], told["malformed_lines"]) == (1, 0)
    assert told["derived"] is True
    stored = told["stored"]
    assert (stored["agents"], stored["llm_calls"], stored["tool_calls"]) == (5, 17, 14)
    assert (stored["input_tokens"], stored["output_tokens"]) == (336, 1866)
    assert stored["cost_usd"] == pytest.approx(0.2134252)
    # A store that was wiped is filled again, although the journal remembers requests.
    shutil.rmtree(tmp_path / "data" / "store")
    done = command("claude", "import", str(capture("tree")), "--data", data, "--json")
    assert json.loads(done.stdout)["lines"] == 181
    assert json.loads(done.stdout)["stored"]["llm_calls"] == 17


@pytest.mark.parametrize(
    ("arguments", "because"),
    [
        (["/nowhere"], "it does not exist"),
        ([__file__], "it is not a transcript"),
        (["--endpoint", "collector:4318"], "not the URL of a collector"),
    ],
)
def test_what_cannot_be_imported_is_a_mistake_of_usage(
    arguments: list[str], because: str, tmp_path: Path
) -> None:
    """The answer says why, before anything is started."""
    data = f"--data={tmp_path / 'data'}"
    given = {"CLAUDE_CONFIG_DIR": str(capture("tree"))}
    done = command("claude", "import", *arguments, data, **given)
    assert done.returncode == 2
    assert because in done.stderr


def test_no_folder_of_the_client_is_a_mistake_of_usage(tmp_path: Path) -> None:
    """Without a path and without the client there is nothing to do."""
    changes = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "c")}
    done = command("claude", "import", CLAUDE_CONFIG_DIR="", **changes)
    assert done.returncode == 2
    assert "no transcripts of Claude Code are found" in done.stderr


def test_following_loses_nothing_while_the_collector_is_killed(tmp_path: Path) -> None:
    """A writer goes on, bytes at a time; the collector dies and comes back elsewhere."""
    data, config = tmp_path / "data", tmp_path / "config"
    first = write(config, begun("f-1"), session="f-1")
    with Collector(data) as running:
        follower = subprocess.Popen(
            [
                *(sys.executable, "-m", "fleetspan_collector", "claude", "import"),
                *(str(config), "--follow", "--json", f"--data={data}"),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        try:
            poll(lambda: running.count(_RAW) == 1, "the first line is there")
            _write_slowly(first, [said(n, "f-1") for n in range(1, 11)])
            poll(lambda: running.count(_RAW) == 11, "ten lines more are there")
            running.kill()
            _write_slowly(first, [said(n, "f-1") for n in range(11, 16)])
            write(config, begun("f-2"), said(20, "f-2"), session="f-2")
            with Collector(data) as back:
                poll(lambda: back.count("llm_calls") == 16, "all calls are there")
                follower.send_signal(signal.SIGINT)
                out, err = follower.communicate(timeout=60)
                assert follower.returncode == 0, err
                told = json.loads(out)
                assert (told["files"], told["malformed_lines"]) == (2, 0)
                assert back.count(f"{_RAW} FINAL") == 18
        finally:
            follower.kill()
            follower.communicate()


def _write_slowly(path: Path, lines: list[bytes]) -> None:
    """Append lines in pieces that end anywhere, each on the disk before the next."""
    with path.open("ab", buffering=0) as file:
        text = b"".join(lines)
        for start in range(0, len(text), 97):
            file.write(text[start : start + 97])
            os.fsync(file.fileno())
