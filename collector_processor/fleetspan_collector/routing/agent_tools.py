"""Which tools Claude Code's sub-agents have, as their definitions say.

A definition is a Markdown file in ``.claude/agents`` of the project or of the user, which
begins with YAML: ``name``, and ``tools`` as a list or with commas between them. Without
``tools`` a sub-agent has all that its parent has. Definitions that come with the client
or with plugins lie elsewhere; of those nothing is known.
"""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path
from typing import Any, Final

import yaml

from fleetspan_routing.outcomes import tool_set

ALL: Final = "*"
"""The tools of an agent whose definition names none: those of its parent."""

_FOLDER: Final = (".claude", "agents")
_READ_EVERY_S: Final = 30.0
_MOST_FILES: Final = 500
_MOST_BYTES: Final = 1 << 16
_MOST_PROJECTS: Final = 1_000
_MARK: Final = "---"


class AgentTools:
    """Knows the definitions of projects, and reads them again now and then.

    Args:
        home: Whose own definitions count, too.
    """

    def __init__(self, home: Path | None = None) -> None:
        self._home = Path.home() if home is None else home
        self._known: dict[str, tuple[float, dict[str, str]]] = {}

    def of(self, type_: str, cwd: str) -> str:
        """Return the sorted names of a sub-agent's tools, with commas between them.

        Args:
            type_: Its type.
            cwd: Where its session is at work.

        Returns:
            `ALL` when its definition names none; ``""`` when there is no definition.
        """
        if not os.path.isabs(cwd):
            return ""
        # The project's definitions come before the user's, and a nearer folder's first.
        for folder in (*_upwards(cwd), str(self._home)):
            found = self._in(folder).get(type_)
            if found is not None:
                return found
        return ""

    def _in(self, folder: str) -> dict[str, str]:
        now_s = time.monotonic()
        kept = self._known.get(folder)
        if kept is not None and now_s - kept[0] < _READ_EVERY_S:
            return kept[1]
        found = _definitions(os.path.join(folder, *_FOLDER))
        if len(self._known) >= _MOST_PROJECTS:
            self._known.clear()
        self._known[folder] = now_s, found
        return found


def _upwards(cwd: str) -> list[str]:
    folders = [os.path.normpath(cwd)]
    while (above := os.path.dirname(folders[-1])) != folders[-1]:
        folders.append(above)
    return folders[:16]


def _definitions(folder: str) -> dict[str, str]:
    """Tools by type of agent, of all definitions in a folder; wrong files have none."""
    try:
        names = sorted(os.listdir(folder))[:_MOST_FILES]
    except OSError:
        return {}
    found: dict[str, str] = {}
    for name in names:
        if name.endswith(".md"):
            said = _head(os.path.join(folder, name))
            if isinstance(said.get("name"), str):
                found.setdefault(said["name"], _tools(said.get("tools")))
    return found


def _head(path: str) -> dict[str, Any]:
    """What a file begins with, between two lines of dashes."""
    try:
        # Whatever lies there: not a pipe, and nothing that never ends.
        with open(path, "rb", opener=_no_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return {}
            text = file.read(_MOST_BYTES).decode("utf-8", "replace")
        mark, _, rest = text.partition("\n")
        if mark.strip() != _MARK:
            return {}
        said = yaml.safe_load(rest.partition(f"\n{_MARK}")[0])
    except (OSError, yaml.YAMLError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _tools(said: object) -> str:
    if isinstance(said, str):
        said = said.split(",")
    if not isinstance(said, list):
        return ALL
    return tool_set(map(str, said)) or ALL


def _no_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
