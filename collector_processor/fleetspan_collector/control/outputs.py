"""Long outputs of tools, made shorter before a model reads them.

Claude Code lets a ``PostToolUse`` hook put another output in the place of a tool's. What
is cut then was never sent, so no prompt cache is lost; the whole text goes where the client
keeps outputs that are too long even for itself, beside the session's transcript, and the mark
that stands for it says how to read it. Where the transcript is not on this machine, or is
not ours to write beside, outputs stay as they are.
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fleetspan_routing.context import (
    ContextError,
    DiskStore,
    MemoryStore,
    Settings,
    Store,
    reduce,
)
from fleetspan_routing.context.names import wanted_in
from fleetspan_routing.control.decision import Shortened
from fleetspan_routing.control.rules import OutputRule
from fleetspan_routing.control.step import word
from fleetspan_routing.control.tool_rules import is_named

logger = logging.getLogger("fleetspan.control")

_FOLDER: Final = "tool-results"
_SESSION: Final = re.compile(r"[\w-]{1,100}")
_KEPT: Final = re.compile(rf"/{_FOLDER}/([0-9a-f]{{8,64}})\.txt\Z")
_DEEPEST: Final = 8
_LONGEST: Final = 200_000
"""Characters; more take longer than a client should wait, and it cuts those itself."""

_ENCODED: Final = re.compile(r"(?:data:[^\s]{0,200},)?[\w+/=-]{1000}")
"""How pictures and the like begin; of them no part can be read."""


def shorten(
    rule: OutputRule, hook: Mapping[str, Any], folder: Path, *, does: bool
) -> Shortened | None:
    """Make the output of a tool shorter, as far as it is text.

    Args:
        rule: Which ones, and to what.
        hook: A ``PostToolUse`` hook, as the client gives it.
        folder: Where the whole goes, as `folder_of` says.
        does: Whether it is done; else nothing is kept, and the client is not told.

    Returns:
        ``None`` when it stays as it is.
    """
    cutting = _Cutting(
        store=_BesideTranscript(folder) if does else MemoryStore(),
        settings=Settings(
            cap_characters=rule.over,
            code_characters=rule.code_over,
            recall_hint=f"Read {folder}/{{ref}}.txt",
        ),
        wanted=wanted_in(*_texts(hook.get("tool_input"))),
    )
    try:
        made = _with_texts(hook.get("tool_response"), cutting.cut)
    except (OSError, ContextError) as error:
        logger.warning(
            "an output of %s stays as it is: %s", word(hook, "tool_name"), error
        )
        return None
    if not cutting.shapes:
        return None
    return Shortened(
        output=made,
        characters=cutting.characters,
        kept=cutting.kept,
        shapes=tuple(cutting.shapes),
        refs=tuple(cutting.refs) if does else (),
        applied=does,
    )


def is_long(rule: OutputRule, hook: Mapping[str, Any]) -> bool:
    """Whether a tool has answered more than it may; soon told."""
    if not is_named(word(hook, "tool_name"), rule.tools):
        return False
    return any(len(text) > rule.over for text in _texts(hook.get("tool_response")))


def read_back(hook: Mapping[str, Any]) -> str:
    """Return the reference of what was kept back and a call is about to read, or ``""``."""
    given = hook.get("tool_input")
    path = word(given, "file_path") if isinstance(given, dict) else ""
    found = _KEPT.search(path)
    return found.group(1) if found else ""


class _BesideTranscript(DiskStore):
    """One folder of files that tell by their names that they are text."""

    __slots__ = ()

    def _path(self, ref: str) -> Path:
        return self.folder / f"{ref}.txt"


@dataclass(slots=True, kw_only=True)
class _Cutting:
    """Cuts texts, and knows what came of it."""

    store: Store
    settings: Settings
    wanted: frozenset[str]
    characters: int = 0
    kept: int = 0
    shapes: list[str] = field(default_factory=list)
    refs: list[str] = field(default_factory=list)

    def cut(self, text: str) -> str:
        made = reduce(text, self.settings, self.store, self.wanted)
        self.characters += len(text)
        self.kept += len(made.text)
        if made.text != text:
            self.shapes.append(made.shape)
        if made.ref:
            self.refs.append(made.ref)
        return made.text


def _texts(value: Any) -> list[str]:
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _with_texts(value, note)
    return found


def _with_texts(value: Any, change: Callable[[str], str], depth: int = 0) -> Any:
    """Return the same with its texts changed."""
    match value:
        case str() if _is_text(value):
            return change(value)
        case dict() if depth < _DEEPEST and _is_of_texts(value):
            return {k: _with_texts(v, change, depth + 1) for k, v in value.items()}
        case list() if depth < _DEEPEST:
            return [_with_texts(each, change, depth + 1) for each in value]
    return value


def _is_of_texts(block: Mapping[str, Any]) -> bool:
    """Whether a part of an answer has no picture, and is not cut by the client itself."""
    kind = block.get("type", "text")
    return kind == "text" and not (
        block.get("isImage") or block.get("persistedOutputPath")
    )


def _is_text(value: str) -> bool:
    """Whether a text is to be read, and not too long to look at."""
    return len(value) <= _LONGEST and _ENCODED.match(value) is None


def folder_of(hook: Mapping[str, Any]) -> Path | None:
    """Where the session keeps outputs; ``None`` where that is not here, or not ours.

    A hook is a claim of whoever sends it: only beside a transcript that is here and the
    collector's own user's is anything written, and not through links.
    """
    session, written = word(hook, "session_id"), word(hook, "transcript_path")
    if not _SESSION.fullmatch(session) or "\n" in written:
        return None
    path = Path(written)
    if path.name != f"{session}.jsonl" or not path.is_absolute():
        return None
    folder = path.with_suffix("") / _FOLDER
    try:
        facts = path.lstat()
        ours = stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()
        if not ours or any(map(_is_in_the_way, (folder.parent, folder))):
            return None
    except (OSError, ValueError):
        # Nothing is there, or nothing can be: a name with a zero byte.
        return None
    return folder


def _is_in_the_way(folder: Path) -> bool:
    """Whether something is there that is no folder, a link to one included."""
    try:
        return not stat.S_ISDIR(folder.lstat().st_mode)
    except FileNotFoundError:
        return False
