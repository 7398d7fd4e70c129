"""What becomes of a tool output when it arrives; this never breaks a prompt cache.

::

    a text ─► reduced before, or short: as it is
           ─► JSON: arrays by items, long texts in the middle; still JSON
           ─► source code: whole, or without function bodies or top-level blocks
           ─► else by lines: repeats folded, then both ends and what matters between

The whole text is kept under a reference, every cut has a mark with it, and the result is
never longer than the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final

from fleetspan_routing.context import _code, _json, _plain
from fleetspan_routing.context._lines import Room, framed
from fleetspan_routing.context.pointers import Pointers, refs
from fleetspan_routing.context.settings import Settings
from fleetspan_routing.context.store import MemoryStore, Store, reference

_TRACE: Final = re.compile(r"Traceback \(most recent call last\):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduced:
    """A text after reduction.

    Attributes:
        text: What is sent.
        ref: Of the whole text in the store; empty when nothing was cut.
        shape: What it was taken for: ``short``, ``pointer``, ``json``, ``code`` or
            ``lines``.
    """

    text: str
    ref: str
    shape: str


def reduce(
    text: str,
    settings: Settings | None = None,
    store: Store | None = None,
    wanted: frozenset[str] = frozenset(),
) -> Reduced:
    """Cut a tool output to its room.

    Args:
        text: The output.
        settings: How much may stay.
        store: Where the whole text goes when it is cut; without one it is only shown
            what would stay.
        wanted: Pieces of names that the task is about, as `wanted_in` finds them.

    Returns:
        The text itself when it is short, was reduced before, or cutting saves less than
        `Settings.least_cut_characters`.
    """
    settings = settings or Settings()
    store = MemoryStore() if store is None else store
    if is_short(text, settings):
        return Reduced(text=text, ref="", shape="short")
    if refs(text, store):
        return Reduced(text=text, ref="", shape="pointer")
    expected = reference(text)
    made, shape = _cut(text, _room(settings, expected, wanted))
    if len(text) - len(made) < max(settings.least_cut_characters, 1):
        return Reduced(text=text, ref="", shape=shape)
    if f"ref:{expected}" not in made:
        # JSON that is only written more tightly; there is nothing to recall.
        return Reduced(text=made, ref="", shape=shape)
    ref = store.put(text)
    if ref != expected:
        made, shape = _cut(text, _room(settings, ref, wanted))
        if len(made) >= len(text):
            return Reduced(text=text, ref="", shape=shape)
    return Reduced(text=made, ref=ref, shape=shape)


def is_short(text: str, settings: Settings) -> bool:
    """Say whether a text is not looked at, as it fits whatever it is."""
    return len(text) <= min(settings.cap_characters, settings.code_characters)


def _room(settings: Settings, ref: str, wanted: frozenset[str]) -> Room:
    return Room(
        characters=settings.cap_characters,
        code_characters=settings.code_characters,
        names_characters=settings.names_characters,
        names_share=settings.names_share,
        wanted=wanted,
        pointers=Pointers(ref=ref, hint=settings.recall_hint),
    )


def _cut(text: str, room: Room) -> tuple[str, str]:
    """Return a shorter text, or the same, and what it was taken for."""
    frame = framed(text)
    inside = frame.inside
    room = replace(room, pointers=replace(room.pointers, lines_before=frame.first))
    head = "".join(frame.lines[: frame.first])
    tail = "".join(frame.lines[frame.last :])
    value = _json.parsed(inside)
    if value is not None:
        end = "\n" if inside.endswith("\n") else ""
        made = inside
        if len(inside) > room.characters:
            made = _json.cut_json(value, room) + end
        return (
            (f"{head}{made}{tail}", "json")
            if len(made) < len(inside)
            else (text, "json")
        )
    lines = frame.lines[frame.first : frame.last]
    if _code.is_code(lines) and not _TRACE.search(inside):
        cut = (
            _code.cut_code(inside, room) if len(inside) > room.code_characters else None
        )
        return (text if cut is None else f"{head}{cut}{tail}"), "code"
    if len(inside) <= room.characters:
        return text, "lines"
    return f"{head}{_plain.cut_plain(inside, room)}{tail}", "lines"
