"""Transcripts are found wherever the client puts them, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetspan_collector.transcripts import default_folders, find_transcripts
from tests.collector_processor.transcripts.made import capture, reply

TREE = "11111111-1111-4111-8111-111111111111"
AGENTS = {
    *("a52905b361cc3fe79", "a8ea9929a6ba8930b"),
    *("ac46cd40969fcf2ba", "af29aa9f21c890336"),
}


@pytest.mark.parametrize(
    "inside",
    [
        "",
        "-srv-work-tree-work",
        f"-srv-work-tree-work/{TREE}.jsonl",
    ],
)
def test_a_session_is_found_with_its_sub_agents(inside: str) -> None:
    """Folders above it and its own file lead to a session and all of its agents."""
    files = find_transcripts([capture("tree") / inside]).files.values()
    assert {each.session_id for each in files} == {TREE}
    assert {each.agent_id for each in files if not each.is_meta} == {"", *AGENTS}
    assert {each.agent_id for each in files if each.is_meta} == AGENTS


@pytest.mark.parametrize("inside", [TREE, f"{TREE}/subagents"])
def test_a_folder_of_a_session_has_its_sub_agents(inside: str) -> None:
    """Inside a session's folder there are only sub-agents, of that session."""
    files = find_transcripts(
        [capture("tree") / "-srv-work-tree-work" / inside]
    ).files.values()
    assert {each.session_id for each in files} == {TREE}
    assert {each.agent_id for each in files} == AGENTS


def test_a_configuration_folder_is_read_in_its_projects_only(tmp_path: Path) -> None:
    """The history of prompts beside the projects is no transcript."""
    _touch(tmp_path / "history.jsonl")
    _touch(tmp_path / "projects" / "-p" / "s1.jsonl")
    _touch(tmp_path / "projects" / "-p" / "s1" / "tool-results" / "x.jsonl")
    _touch(tmp_path / "projects" / "-p" / "notes.txt")
    found = find_transcripts([tmp_path])
    assert _names(found, tmp_path) == ["projects/-p/s1.jsonl"]


def test_agents_of_a_workflow_belong_to_its_session(tmp_path: Path) -> None:
    """They lie two folders deeper; what else lies there is left alone."""
    run = tmp_path / "projects" / "-p" / "s1" / "subagents" / "workflows" / "wf1"
    _touch(run / "agent-a1.jsonl")
    _touch(run / "agent-a1.meta.json")
    _touch(run / "journal.jsonl")
    files = list(find_transcripts([tmp_path]).files.values())
    assert [(each.session_id, each.agent_id, each.is_meta) for each in files] == [
        ("s1", "a1", False),
        ("s1", "a1", True),
    ]


def test_an_old_agent_beside_its_session_is_named_by_its_lines(tmp_path: Path) -> None:
    """Older clients put ``agent-ID.jsonl`` into the project's folder."""
    path = tmp_path / "-p" / "agent-12ab34cd.jsonl"
    path.parent.mkdir()
    path.write_bytes(b'{"type":"summary"}\n' + reply(1, "s7", agentId="12ab34cd"))
    (file,) = find_transcripts([tmp_path]).files.values()
    assert (file.session_id, file.agent_id) == ("s7", "12ab34cd")


def test_links_are_followed_once(tmp_path: Path) -> None:
    """A folder that contains a link to itself, or to another, is looked into once."""
    real = tmp_path / "real" / "-p"
    _touch(real / "s1.jsonl")
    (real / "loop").symlink_to(tmp_path / "real")
    (real / "s2.jsonl").symlink_to(real / "s1.jsonl")
    (real / "dead.jsonl").symlink_to(tmp_path / "gone.jsonl")
    (tmp_path / "linked").symlink_to(tmp_path / "real")
    found = find_transcripts([tmp_path / "linked", tmp_path / "real"])
    assert _names(found, tmp_path) == ["real/-p/s1.jsonl"]
    assert not found.unreadable


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_folder_is_reported(tmp_path: Path) -> None:
    """It is passed over with the reason, its neighbours are found."""
    _touch(tmp_path / "-p" / "s1.jsonl")
    closed = tmp_path / "-q"
    _touch(closed / "s2.jsonl")
    closed.chmod(0)
    try:
        found = find_transcripts([tmp_path])
    finally:
        closed.chmod(0o700)
    assert _names(found, tmp_path) == ["-p/s1.jsonl"]
    assert found.unreadable == {closed: "Permission denied"}


def test_the_users_own_folder_may_have_the_clients_name(tmp_path: Path) -> None:
    """A path that goes through a folder called ``subagents`` names no session."""
    _touch(tmp_path / "subagents" / "home" / "projects" / "-p" / "s1.jsonl")
    (file,) = find_transcripts([tmp_path / "subagents" / "home"]).files.values()
    assert (file.session_id, file.agent_id) == ("s1", "")


def test_the_configuration_folders_are_those_of_the_client(tmp_path: Path) -> None:
    """``CLAUDE_CONFIG_DIR`` may name several; else the two usual places are looked at."""
    for name in (
        "one",
        "two",
        "home/.claude",
        "home/.config/claude",
        "elsewhere/claude",
    ):
        (tmp_path / name).mkdir(parents=True)
    home = tmp_path / "home"
    named = {"CLAUDE_CONFIG_DIR": f"{tmp_path}/one, {tmp_path}/two,{tmp_path}/none"}
    assert default_folders(named, home) == [tmp_path / "one", tmp_path / "two"]
    assert default_folders({}, home) == [home / ".claude", home / ".config" / "claude"]
    moved = {"XDG_CONFIG_HOME": str(tmp_path / "elsewhere")}
    assert default_folders(moved, home) == [
        home / ".claude",
        tmp_path / "elsewhere" / "claude",
    ]


def _touch(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"{}\n")


def _names(found: object, folder: Path) -> list[str]:
    files: dict[Path, object] = found.files  # type: ignore[attr-defined]
    return [path.relative_to(folder).as_posix() for path in files]
