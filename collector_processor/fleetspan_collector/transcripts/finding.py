"""Finds the transcripts of Claude Code.

::

    CONFIGURATION/projects/PROJECT/SESSION.jsonl
    CONFIGURATION/projects/PROJECT/SESSION/subagents/agent-ID.jsonl (+ agent-ID.meta.json)
    CONFIGURATION/projects/PROJECT/SESSION/subagents/workflows/RUN/agent-ID.jsonl (+ …)
    CONFIGURATION/projects/PROJECT/agent-ID.jsonl            as older clients laid them out

The layout is the client's own affair and may change; what does not fit is left alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import orjson

LINES: Final = ".jsonl"
META: Final = ".meta.json"
_AGENT: Final = "agent-"
_SUBAGENTS: Final = "subagents"
_LOOKED_AT_BYTES: Final = 256 * 1024
"""How far into an old agent's file its session is looked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One file of a session.

    Attributes:
        path: Its real path, with no symbolic link in it: one file has one name.
        session_id: The session that it belongs to; empty when the file does not say.
        agent_id: The sub-agent that it belongs to; empty for the session's own file.
        is_meta: Whether it is the one JSON document that describes a sub-agent, and not
            lines.
    """

    path: Path
    session_id: str
    agent_id: str = ""
    is_meta: bool = False


@dataclass(slots=True)
class Found:
    """What looking for transcripts has found.

    Attributes:
        files: Transcripts by path, in order.
        unreadable: Folders and files that could not be read, with the reason.
    """

    files: dict[Path, Transcript] = field(default_factory=dict)
    unreadable: dict[Path, str] = field(default_factory=dict)


def default_folders(
    environment: Mapping[str, str] = os.environ, home: Path | None = None
) -> list[Path]:
    """Return the configuration folders in which the client keeps its transcripts.

    ``CLAUDE_CONFIG_DIR`` names one, or several with commas between them; else they are
    ``~/.claude`` and ``claude`` in the user's folder of configuration.

    Returns:
        Those that exist, each once.
    """
    home = home or Path.home()
    named = environment.get("CLAUDE_CONFIG_DIR", "")
    folders = [
        Path(each.strip()).expanduser() for each in named.split(",") if each.strip()
    ]
    if not folders:
        configuration = environment.get("XDG_CONFIG_HOME") or str(home / ".config")
        folders = [home / ".claude", Path(configuration) / "claude"]
    real = (Path(os.path.realpath(each)) for each in folders if each.is_dir())
    return list(dict.fromkeys(real))


def find_transcripts(places: Iterable[Path]) -> Found:
    """Find every transcript in files and folders.

    Args:
        places: Each a transcript (its sub-agents come with it), the folder of a session,
            of a project, of all projects, or of the configuration.

    Returns:
        What is there. Folders that symbolic links lead to are looked into once.
    """
    found = Found()
    seen: set[tuple[int, int]] = set()
    for place in places:
        real = Path(os.path.realpath(place))
        if real.is_dir():
            projects = real / "projects"
            inside = projects if projects.is_dir() else real
            _look_into(Path(os.path.realpath(inside)), found, seen)
        elif real.is_file():
            _take(real, "", found)
            _look_into(real.with_suffix("") / _SUBAGENTS, found, seen)
            meta = real.with_suffix(META)
            if meta.is_file():
                _take(meta, "", found)
        else:
            found.unreadable[real] = "it is no file and no folder"
    found.files = dict(sorted(found.files.items()))
    return found


def _look_into(folder: Path, found: Found, seen: set[tuple[int, int]]) -> None:
    waiting = [(folder, _session_of(folder))]
    while waiting:
        folder, session_id = waiting.pop()
        entries = _entries(folder, found, seen)
        if entries is None:
            continue
        files, folders = entries
        for name, is_link in files.items():
            if name.endswith((LINES, META)):
                _take(_real(folder / name, is_link=is_link), session_id, found)
        is_session = _SUBAGENTS in folders and not session_id
        for name, is_link in folders.items():
            inside = folder / name
            if is_link:
                inside = Path(os.path.realpath(inside))
            if session_id:
                waiting.append((inside, session_id))
            elif is_session:
                # Of what else a session keeps, nothing is a transcript.
                if name == _SUBAGENTS:
                    waiting.append((inside, folder.name))
            elif f"{name}{LINES}" in files:
                waiting.append((inside / _SUBAGENTS, name))
            else:
                waiting.append((inside, ""))


def _real(path: Path, *, is_link: bool) -> Path:
    """The real path of a file in a folder whose own path is real."""
    if not is_link:
        return path
    real = Path(os.path.realpath(path))
    # A name that says what it is stays.
    return real if real.name.endswith((LINES, META)) else path


def _session_of(folder: Path) -> str:
    """The session in whose ``subagents`` a folder is, if it is in one."""
    parts = folder.parts
    # Only where the client itself puts it: a user's own folder may have that name.
    for place in (-1, -2, -3):
        below = parts[place + 1 :] if place + 1 else ()
        if len(parts) > 1 - place and parts[place] == _SUBAGENTS:
            return parts[place - 1] if below[:1] in ((), ("workflows",)) else ""
    return ""


def _entries(
    folder: Path, found: Found, seen: set[tuple[int, int]]
) -> tuple[dict[str, bool], dict[str, bool]] | None:
    """Files and folders in a folder not seen before, with whether each is a link."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return None
        seen.add((status.st_dev, status.st_ino))
        files: dict[str, bool] = {}
        folders: dict[str, bool] = {}
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda each: each.name):
                if entry.is_dir():
                    folders[entry.name] = entry.is_symlink()
                elif entry.is_file():
                    files[entry.name] = entry.is_symlink()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        found.unreadable[folder] = error.strerror or str(error)
        return None
    return files, folders


def _take(path: Path, session_id: str, found: Found) -> None:
    name = path.name
    if path in found.files:
        return
    is_meta = name.endswith(META)
    if not is_meta and not name.endswith(LINES):
        return
    agent_id = ""
    if name.startswith(_AGENT):
        agent_id = name.removeprefix(_AGENT).removesuffix(META if is_meta else LINES)
        session_id = session_id or _session_of(path.parent)
        # Beside its session, as older clients had it: only its lines name the session.
        beside = path.with_name(f"{_AGENT}{agent_id}{LINES}")
        session_id = session_id or _session_inside(beside, found)
    elif is_meta or session_id:
        return
    else:
        session_id = name.removesuffix(LINES)
    found.files[path] = Transcript(
        path=path, session_id=session_id, agent_id=agent_id, is_meta=is_meta
    )


def _session_inside(path: Path, found: Found) -> str:
    """The session that the first lines of a file name; empty when none does."""
    try:
        with path.open("rb") as file:
            while file.tell() < _LOOKED_AT_BYTES:
                line = file.readline(_LOOKED_AT_BYTES)
                named = _session_of_line(line)
                if named or not line:
                    return named
    except FileNotFoundError:
        pass
    except OSError as error:
        found.unreadable[path] = error.strerror or str(error)
    return ""


def _session_of_line(line: bytes) -> str:
    try:
        named = orjson.loads(line).get("sessionId")
    except (orjson.JSONDecodeError, AttributeError):
        return ""
    return named if isinstance(named, str) else ""
