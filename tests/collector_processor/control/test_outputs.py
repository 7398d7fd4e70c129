"""Outputs of tools that are made shorter: which, how, and where the whole goes."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest

from fleetspan_collector.control.outputs import folder_of, is_long, shorten
from fleetspan_routing.control.decision import Shortened
from fleetspan_routing.control.rules import OutputRule
from tests.collector_processor.control.asking import Client
from tests.collector_processor.running import Collector, poll

LOG: Final = "\n".join(
    f"{n:05} worker-{n * 7919 % 97} did part {n * 104729 % 1009}" for n in range(400)
)
RULE: Final = OutputRule()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder of transcripts, with that of session ``s1``."""
    (tmp_path / "s1.jsonl").write_text("{}\n")
    return tmp_path


def hook(project: Path, output: Any, **fields: Any) -> dict[str, Any]:
    """What a client says when a tool has answered."""
    return {
        "hook_event_name": "PostToolUse",
        "session_id": "s1",
        "transcript_path": str(project / "s1.jsonl"),
        "tool_name": "Bash",
        "tool_input": {"command": "make"},
        "tool_response": output,
        **fields,
    }


def made_shorter(
    rule: OutputRule, hook: dict[str, Any], *, does: bool
) -> Shortened | None:
    """Do as control does."""
    folder = folder_of(hook) if is_long(rule, hook) else None
    return shorten(rule, hook, folder, does=does) if folder else None


def test_a_long_log_is_cut_and_kept_whole(project: Path) -> None:
    """All else of the answer stays; the mark names the file."""
    answer = {"stdout": LOG, "stderr": "", "interrupted": False}
    made = made_shorter(RULE, hook(project, answer), does=True)
    assert made is not None
    assert made.applied
    assert made.output == answer | {"stdout": made.output["stdout"]}
    assert made.characters == len(LOG)
    assert made.kept == len(made.output["stdout"]) < 1.2 * RULE.over
    (ref,) = made.refs
    file = project / "s1" / "tool-results" / f"{ref}.txt"
    assert f"Read {file}" in made.output["stdout"]
    assert file.read_text() == LOG
    assert file.stat().st_mode & 0o077 == 0


def test_in_a_dry_run_nothing_is_written(project: Path) -> None:
    """It is told what would have been cut."""
    made = made_shorter(RULE, hook(project, {"stdout": LOG}), does=False)
    assert made is not None
    assert not made.applied
    assert made.kept < made.characters
    assert made.refs == ()
    assert [path.name for path in project.iterdir()] == ["s1.jsonl"]


def test_blocks_of_text_are_cut_and_pictures_are_not(project: Path) -> None:
    """As tools of MCP servers answer."""
    rows = json.dumps(
        [{"id": n, "name": f"row{n}"} for n in range(600)], separators=(",", ":")
    )
    picture = {"type": "image", "source": {"data": "QUJD" * 5_000}}
    answer = [{"type": "text", "text": rows}, picture]
    named = hook(project, answer, tool_name="mcp__shop__list")
    made = made_shorter(RULE, named, does=True)
    assert made is not None
    assert made.shapes == ("json",)
    assert made.output[1] == picture
    assert len(json.dumps(json.loads(made.output[0]["text"]))) < len(rows)


def test_source_code_that_is_cut_still_parses(project: Path) -> None:
    """Up to its own length it stays whole."""
    body = "".join(f"    value += {n} * value\n" for n in range(20))
    function = f"def part_{{n}}(value):\n{body}    return value * {{n}}\n\n\n"
    for number, cut in ((20, False), (100, True)):
        source = "".join(function.format(n=n) for n in range(number))
        made = made_shorter(RULE, hook(project, {"stdout": source}), does=True)
        assert (made is not None) is cut
        if made is not None:
            assert made.shapes == ("code",)
            ast.parse(made.output["stdout"])


@pytest.mark.parametrize(
    "answer",
    [
        {"stdout": "short"},
        {"stdout": "QUJD" * 5_000},
        {"stdout": "data:image/png;base64," + "QUJD" * 5_000},
        {"stdout": LOG, "isImage": True},
        {"stdout": LOG, "persistedOutputPath": "/somewhere/else.txt"},
        {"stdout": "word " * 60_000},
        [[[[[[[[[[[[LOG]]]]]]]]]]]],
        None,
        7,
    ],
)
def test_what_is_short_or_no_text_stays(project: Path, answer: Any) -> None:
    """Neither pictures, nor what the client itself has cut, nor what takes long."""
    assert made_shorter(RULE, hook(project, answer), does=True) is None


def test_other_tools_stay(project: Path) -> None:
    """What an agent reads back is not cut again, whatever it is."""
    answer = {"type": "text", "file": {"content": LOG}}
    assert (
        made_shorter(RULE, hook(project, answer, tool_name="Read"), does=True) is None
    )
    named = OutputRule(tools=("Re*",))
    assert made_shorter(named, hook(project, answer, tool_name="Read"), does=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"transcript_path": "/nowhere/s1.jsonl"},
        {"transcript_path": "s1.jsonl"},
        {"transcript_path": ""},
        {"session_id": "s2"},
        {"session_id": ".."},
        {"transcript_path": "/nowhere\0/s1.jsonl"},
        {"session_id": "a/b"},
    ],
)
def test_nothing_is_written_where_no_transcript_is(
    project: Path, fields: dict[str, str]
) -> None:
    """The output stays as it is: what cannot be read back is not cut."""
    assert (
        made_shorter(RULE, hook(project, {"stdout": LOG}, **fields), does=True) is None
    )
    assert [path.name for path in project.iterdir()] == ["s1.jsonl"]


@pytest.mark.parametrize("place", ["s1", "s1/tool-results", "s1.jsonl"])
def test_links_are_not_followed(project: Path, tmp_path: Path, place: str) -> None:
    """A hook is a claim of whoever sends it."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    link = project / place
    link.unlink(missing_ok=True)
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(elsewhere)
    assert made_shorter(RULE, hook(project, {"stdout": LOG}), does=True) is None
    assert list(elsewhere.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to give a file away")
def test_nothing_is_written_beside_another_users_transcript(project: Path) -> None:
    """Even where it could be."""
    os.chown(project / "s1.jsonl", 12345, 12345)
    assert made_shorter(RULE, hook(project, {"stdout": LOG}), does=True) is None


def test_a_folder_that_cannot_be_written_leaves_outputs_as_they_are(
    project: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And says so in the log."""
    (project / "s1").mkdir()
    (project / "s1" / "tool-results").mkdir()
    # A folder in the place of the file: even root cannot write that.
    made = made_shorter(RULE, hook(project, {"stdout": LOG}), does=False)
    assert made is not None
    first = made_shorter(RULE, hook(project, {"stdout": LOG}), does=True)
    assert first is not None
    file = project / "s1" / "tool-results" / f"{first.refs[0]}.txt"
    file.unlink()
    file.mkdir()
    assert made_shorter(RULE, hook(project, {"stdout": LOG}), does=True) is None
    assert "stays as it is" in caplog.text


RULES: Final = """
if_unreachable: allow
mode: {mode}
outputs: {{mode: on, over: 1500}}
"""


@pytest.fixture(params=["on", "dry_run"])
def answering(
    request: pytest.FixtureRequest, tmp_path: Path
) -> Generator[tuple[str, Client]]:
    """A client of a collector that makes outputs shorter, or would; its transcript."""
    (tmp_path / "s1.jsonl").write_text("{}\n")
    rules = tmp_path / "control.yaml"
    rules.write_text(RULES.format(mode=request.param))
    variables = {"FLEETSPAN_CONTROL_FILE": str(rules)}
    with Collector(tmp_path / "data", variables=variables) as running:
        yield request.param, Client(running)


@pytest.mark.integration
def test_a_client_is_told_the_shorter_output(
    answering: tuple[str, Client], tmp_path: Path
) -> None:
    """What was kept back is counted, and an event that has nothing of it."""
    mode, client = answering
    fields = hook(tmp_path, {"stdout": LOG}, tool_use_id="toolu_1")
    del fields["hook_event_name"]
    told = client.ask("PostToolUse", **fields)
    if mode == "on":
        said = told["hookSpecificOutput"]
        assert said["hookEventName"] == "PostToolUse"
        assert len(said["updatedToolOutput"]["stdout"]) < 1_800
    else:
        assert told == {}
    short = client.ask("PostToolUse", **fields | {"tool_response": {"stdout": "ok"}})
    assert short == {}
    collector = client.collector
    events = "SELECT * FROM otel.otel_logs WHERE EventName LIKE 'fleetspan.context.%'"
    poll(lambda: bool(collector.sql(events)), "the event")
    (event,) = collector.sql(events)
    said = event["LogAttributes"]
    assert said["gen_ai.tool.call.id"] == "toolu_1"
    assert said["fleetspan.context.applied"] == str(mode == "on").lower()
    assert int(said["fleetspan.context.characters"]) == len(LOG)
    assert "worker-" not in json.dumps(event, default=str)
    _, _, metrics = collector.request("web", "GET", "/metrics")
    if mode == "on":
        (ref,) = json.loads(said["fleetspan.context.refs"])
        given = {"file_path": str(tmp_path / "s1" / "tool-results" / f"{ref}.txt")}
        client.ask("PreToolUse", tool_name="Read", tool_input=given)
        poll(lambda: len(collector.sql(events)) == 2, "that it is read back")
        recalled = f"{events} AND EventName LIKE '%recall'"
        (event,) = collector.sql(recalled)
        assert event["LogAttributes"]["fleetspan.context.ref"] == ref
    arrived = f'fleetspan_control_output_characters_total{{as="arrived"}} {len(LOG)}.0'
    assert arrived in metrics.decode()
    elsewhere = fields | {"session_id": "s2", "transcript_path": "/nowhere/s2.jsonl"}
    for _ in range(2):
        assert client.ask("PostToolUse", **elsewhere) == {}
    assert collector.log.count("outputs of tools stay as they are") == 1
