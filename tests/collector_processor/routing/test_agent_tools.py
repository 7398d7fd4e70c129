"""Tools of sub-agents, as definitions of the client say."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fleetspan_collector.routing.agent_tools import ALL, AgentTools


def define(folder: Path, name: str, text: str) -> None:
    """Write a definition."""
    path = folder / ".claude" / "agents" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.parametrize(
    ("said", "tools"),
    [
        ("tools: Read, Grep,Bash", "Bash,Grep,Read"),
        ("tools: [Read, Bash]", "Bash,Read"),
        ("description: does all", ALL),
        ("tools:", ALL),
    ],
)
def test_a_definition_of_the_project(tmp_path: Path, said: str, tools: str) -> None:
    """Found from folders below it, too; another type has none."""
    define(tmp_path, "r.md", f"---\nname: reviewer\n{said}\n---\nYou review.\n")
    below = tmp_path / "src" / "deep"
    below.mkdir(parents=True)
    known = AgentTools(tmp_path / "nobody")
    assert known.of("reviewer", str(below)) == tools
    assert known.of("Explore", str(below)) == ""
    assert known.of("reviewer", "") == ""


def test_the_projects_definition_goes_before_the_users(tmp_path: Path) -> None:
    """As it does in the client."""
    home, project = tmp_path / "home", tmp_path / "project"
    define(home, "a.md", "---\nname: a\ntools: Read\n---\n")
    define(home, "b.md", "---\nname: b\ntools: Edit\n---\n")
    define(project, "a.md", "---\nname: a\ntools: Bash\n---\n")
    known = AgentTools(home)
    assert known.of("a", str(project)) == "Bash"
    assert known.of("b", str(project)) == "Edit"


@pytest.mark.parametrize(
    "text",
    ["", "name: a", "---\nname: [\n---\n", "---\n- a\n---\n", "---\nname: 3\n---"],
)
def test_what_is_no_definition(tmp_path: Path, text: str) -> None:
    """Is passed over, as are pipes, folders and links to nowhere."""
    define(tmp_path, "x.md", text)
    agents = tmp_path / ".claude" / "agents"
    os.mkfifo(agents / "pipe.md")
    (agents / "folder.md").mkdir()
    (agents / "link.md").symlink_to("nowhere")
    define(tmp_path, "z.md", "---\nname: z\ntools: Read\n---\n")
    known = AgentTools(tmp_path / "nobody")
    assert known.of("z", str(tmp_path)) == "Read"
    assert known.of("a", str(tmp_path)) == ""
