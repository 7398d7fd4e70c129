"""Texts as lines: what is cut is whole lines, and a mark stands for each gap."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

from fleetspan_routing.context.names import names, worth_keeping
from fleetspan_routing.context.pointers import Pointers
from fleetspan_routing.context.store import lines_of

_TAG: Final = re.compile(r"\s*</?[A-Za-z_][\w-]*>(?:[^\n]{0,80}</?[\w-]+>)?\s*")

SHORTEST_GAP: Final = 120
"""Characters; a mark takes the room of a smaller gap, which is kept for that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What a cut has to fit into, and how it is judged and marked.

    Attributes:
        characters: That may stay.
        code_characters: That may stay of source code.
        names_characters: At most, for the names of what is removed.
        names_share: The same, as a share of what is removed.
        wanted: Pieces of names that the task and the last steps are about.
        pointers: Writes the marks.
    """

    characters: int
    code_characters: int
    names_characters: int
    names_share: float
    wanted: frozenset[str]
    pointers: Pointers


@dataclass(frozen=True, slots=True, kw_only=True)
class Framed:
    """A text between the tags that a tool puts around it.

    Attributes:
        lines: All of them.
        first: Where the text itself begins.
        last: Where it ends, exclusive.
    """

    lines: Sequence[str]
    first: int
    last: int

    @property
    def inside(self) -> str:
        """The text itself."""
        return "".join(self.lines[self.first : self.last])


def framed(text: str) -> Framed:
    """Find the tags at both ends of a text, such as ``<output>`` in lines of their own."""
    lines = lines_of(text)
    first, last = 0, len(lines)
    while first < last and _TAG.fullmatch(lines[first]):
        first += 1
    while last > first and _TAG.fullmatch(lines[last - 1]):
        last -= 1
    return Framed(lines=lines, first=first, last=last)


def with_gaps(
    lines: Sequence[str], keep: Collection[int], room: Room, leader: str = ""
) -> str:
    """Return the lines that are kept, and marks for the others.

    The first mark says how to recall and names what was removed; later ones are short.

    Args:
        lines: All lines.
        keep: Indexes of those that stay.
        room: How marks are written.
        leader: Begins a mark, such as ``# `` in code.
    """
    kept = set(keep)
    gaps = [
        (start, end)
        for start, end in _gaps(len(lines), kept)
        if sum(map(len, lines[start:end])) >= SHORTEST_GAP
    ]
    if not gaps:
        return "".join(lines)
    dropped = {at for start, end in gaps for at in range(start, end)}
    removed = "".join(lines[at] for at in sorted(dropped))
    stays = "".join(line for at, line in enumerate(lines) if at not in dropped)
    most = int(min(room.names_characters, room.names_share * len(removed)))
    known = worth_keeping(
        removed, {*names(stays), room.pointers.ref}, room.wanted, most
    )
    marks = room.pointers.gaps(gaps, len(removed), known)
    made: list[str] = []
    at = 0
    for (start, end), mark in zip(gaps, marks, strict=True):
        made += lines[at:start]
        made.append(f"{leader}{mark}" + ("\n" if lines[end - 1].endswith("\n") else ""))
        at = end
    return "".join([*made, *lines[at:]])


def _gaps(count: int, kept: set[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    start = None
    for at in range(count + 1):
        gone = at < count and at not in kept
        if gone and start is None:
            start = at
        elif not gone and start is not None:
            found.append((start, at))
            start = None
    return found
